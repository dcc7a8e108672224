"""What people write in the demo, in Dutch and English: made up, and read aloud before it was committed."""

from __future__ import annotations

from typing import Final

CONTEXT_NL: Final = (
    "Draaidag in week 46, op de pont. Tussen de opnamen van de nachtscène, in de kleedwagen en "
    "later op het dek. Het was na tien uur 's avonds."
)
ACCOUNT_NL: Final = (
    "Ik schrijf dit als degene die het overkwam. Tijdens de nachtopnamen maakte de uitvoerend "
    "producent telkens opmerkingen over mijn lichaam, waar de hele licht- en geluidsploeg bij "
    "stond. Toen ik zei dat hij moest ophouden, zei hij dat er tien anderen klaarstaan voor mijn "
    "plek. Later die avond ging hij in de kleedwagen voor de deur staan en liet hij me pas door "
    "toen iemand van geluid naar binnen kwam. Ik slaap slecht en ik zie op tegen de laatste "
    "draaiweken. Ik wil dat het stopt, en ik wil zelf bepalen wie dit weet."
)
IMPACT_NL: Final = "Ik ben freelancer. Ik ben bang dat ik geen volgende klus krijg als dit rondgaat."
FIRST_REPLY_NL: Final = (
    "Dank je dat je dit meldt. Wat je schrijft blijft tussen jou, mijn plaatsvervanger en mij. Jij "
    "bepaalt wat er verder gebeurt, en of je naar de politie gaat; ik help je daar net zo goed bij "
    "als je het wel of niet doet. Ben je nu veilig op de set?"
)
REPORTER_REPLY_NL: Final = (
    "Ja, morgen is hij er niet. Vrijdag weer wel. De omroep mag weten dat het er onveilig is, maar "
    "niet mijn hele verhaal. En liever niet het facilitair bedrijf: daar werken zijn vrienden."
)
SUMMARY_NL: Final = (
    "Op een gezamenlijke productie is door een medewerker gemeld dat iemand met gezag op de set "
    "zich herhaaldelijk seksueel intimiderend gedraagt, ook tijdens nachtopnamen. Het gaat om een "
    "melding: er is nog niets vastgesteld. De melder werkt nog op de productie. Gevraagd wordt om "
    "vanaf vrijdag een tweede verantwoordelijke op de set aanwezig te laten zijn."
)
MEASURES_NL: Final = (
    "Voorstel: vanaf vrijdag 27 november een vertegenwoordiger van de omroep op de set; kleedwagen "
    "alleen met twee personen; nachtopnamen niet zonder aanwezigheid van de opnameleider."
)
NECESSITY_NL: Final = (
    "Zonder de omroep kan op de set geen tweede verantwoordelijke worden ingezet. Een samenvatting "
    "zonder namen is daarvoor genoeg; het verhaal zelf is niet nodig en wordt niet gedeeld."
)
NECESSITY_LICHTBRUG_NL: Final = (
    "Het facilitair bedrijf kan de indeling van de ploeg aanpassen. Een samenvatting zonder namen "
    "is daarvoor genoeg."
)
STANDING_ENTRY_EN: Final = (
    "I write as a bystander. On Winterlicht, in the winter of 2024, a colleague was mocked day "
    "after day because of her origin, by the people who made the call sheets. Nobody stopped it, me"
    " included. The production is long over and I do not know who to turn to."
)
