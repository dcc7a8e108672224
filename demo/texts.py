"""What people write in the demo, in Dutch and English: made up, and read aloud before it was committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Texts:
    """What is written about one incident, in one language.

    Attributes:
        context: When and where it was, by the reporter.
        account: What happened, by the reporter.
        impact: What it does to the reporter.
        first_reply: The counsellor's answer.
        reporter_reply: The reporter's answer to that.
        summary: What the broadcaster is told, without names.
        measures: What the broadcaster is asked to do.
        necessity: Why the broadcaster must know.
        necessity_facility: Why the facility company must know.
    """

    context: str
    account: str
    impact: str
    first_reply: str
    reporter_reply: str
    summary: str
    measures: str
    necessity: str
    necessity_facility: str


NL: Final = Texts(
    context=(
        "Draaidag in week 46, op de pont. Tussen de opnamen van de nachtscène, in de kleedwagen en "
        "later op het dek. Het was na tien uur 's avonds."
    ),
    account=(
        "Ik schrijf dit als degene die het overkwam. Tijdens de nachtopnamen maakte de uitvoerend "
        "producent telkens opmerkingen over mijn lichaam, waar de hele licht- en geluidsploeg bij "
        "stond. Toen ik zei dat hij moest ophouden, zei hij dat er tien anderen klaarstaan voor mijn "
        "plek. Later die avond ging hij in de kleedwagen voor de deur staan en liet hij me pas door "
        "toen iemand van geluid naar binnen kwam. Ik slaap slecht en ik zie op tegen de laatste "
        "draaiweken. Ik wil dat het stopt, en ik wil zelf bepalen wie dit weet."
    ),
    impact="Ik ben freelancer. Ik ben bang dat ik geen volgende klus krijg als dit rondgaat.",
    first_reply=(
        "Dank je dat je dit meldt. Wat je schrijft blijft tussen jou, mijn plaatsvervanger en mij. Jij "
        "bepaalt wat er verder gebeurt, en of je naar de politie gaat; ik help je daar net zo goed bij "
        "als je het wel of niet doet. Ben je nu veilig op de set?"
    ),
    reporter_reply=(
        "Ja, morgen is hij er niet. Vrijdag weer wel. De omroep mag weten dat het er onveilig is, maar "
        "niet mijn hele verhaal. En liever niet het facilitair bedrijf: daar werken zijn vrienden."
    ),
    summary=(
        "Op een gezamenlijke productie is door een medewerker gemeld dat iemand met gezag op de set "
        "zich herhaaldelijk seksueel intimiderend gedraagt, ook tijdens nachtopnamen. Het gaat om een "
        "melding: er is nog niets vastgesteld. De melder werkt nog op de productie. Gevraagd wordt om "
        "vanaf vrijdag een tweede verantwoordelijke op de set aanwezig te laten zijn."
    ),
    measures=(
        "Voorstel: vanaf vrijdag 27 november een vertegenwoordiger van de omroep op de set; kleedwagen "
        "alleen met twee personen; nachtopnamen niet zonder aanwezigheid van de opnameleider."
    ),
    necessity=(
        "Zonder de omroep kan op de set geen tweede verantwoordelijke worden ingezet. Een samenvatting "
        "zonder namen is daarvoor genoeg; het verhaal zelf is niet nodig en wordt niet gedeeld."
    ),
    necessity_facility=(
        "Het facilitair bedrijf kan de indeling van de ploeg aanpassen. Een samenvatting zonder namen "
        "is daarvoor genoeg."
    ),
)
"""As the story tells it."""

EN: Final = Texts(
    context=(
        "Shooting day in week 46, on the ferry. Between takes of the night scene, in the wardrobe truck "
        "and later on deck. It was after ten in the evening."
    ),
    account=(
        "I write this as the one it happened to. During the night shoot the executive producer kept "
        "making remarks about my body, with the whole light and sound crew standing by. When I told him "
        "to stop, he said that ten others are waiting for my place. Later that night he stood in front "
        "of the door of the wardrobe truck and let me out only when somebody of the sound crew came in. "
        "I sleep badly and I dread the last weeks of the shoot. I want it to stop, and I want to decide "
        "myself who knows about this."
    ),
    impact="I am a freelancer. I am afraid that the next job will not come if people talk about this.",
    first_reply=(
        "Thank you for telling this. What you write stays between you, my deputy and me. You decide what "
        "happens next, and whether you go to the police; I help you just as well if you do and if you do "
        "not. Are you safe on the set now?"
    ),
    reporter_reply=(
        "Yes, he is away tomorrow. On Friday he is back. The broadcaster may know that it is not safe "
        "there, but not my whole story. And rather not the facility company: his friends work there."
    ),
    summary=(
        "On a joint production a member of the crew has reported that somebody with authority on the set "
        "repeatedly behaves in a sexually intimidating way, also during night shoots. This is a report: "
        "nothing has been established yet. The reporter still works on the production. The request is to "
        "have a second person in charge on the set from Friday on."
    ),
    measures=(
        "Proposal: from Friday 27 November a representative of the broadcaster on the set; the wardrobe "
        "truck with two people only; no night shoot unless the production manager is there."
    ),
    necessity=(
        "Without the broadcaster no second person in charge can be sent to the set. A summary without "
        "names is enough for that; the account itself is not needed and is not shared."
    ),
    necessity_facility=(
        "The facility company can put together another crew. A summary without names is enough for that."
    ),
)
"""The same, for whoever reads English."""

BYSTANDER_EN: Final = (
    "I write as a bystander. On Winterlicht, in the winter of 2024, a colleague was mocked day "
    "after day because of her origin, by the people who made the call sheets. Nobody stopped it, me"
    " included. The production is long over and I do not know who to turn to."
)
"""What came in by the standing entry."""
