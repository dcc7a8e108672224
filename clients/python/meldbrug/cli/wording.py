"""Every sentence for people, in Dutch and in English, at level B1: short, active, no jargon."""

# ruff: noqa: E501 - a sentence stands whole beside its translation

from __future__ import annotations

from typing import Final

WORDING: Final[dict[str, tuple[str, str]]] = {
    # How a command ends.
    "not-permitted": (
        "Dat mag niet, of het bestaat niet.",
        "Not permitted, or it does not exist.",
    ),
    "changed-meanwhile": (
        "Er is intussen iets veranderd. Kijk opnieuw en probeer het nog eens.",
        "Something changed meanwhile. Look again and repeat.",
    ),
    "wrong-state": (
        "Dat kan nu niet: het staat er anders voor.",
        "That cannot be done now: things stand otherwise.",
    ),
    "wrong-state-known": (
        "Dat kan nu niet: het staat op '{state}'.",
        "That cannot be done now: it stands at '{state}'.",
    ),
    "come-back-later": (
        "Er kwam geen antwoord. Er is niets kapot. Probeer het over een paar minuten opnieuw.",
        "There was no answer. Nothing is broken. Try again in a few minutes.",
    ),
    "refused": ("Geweigerd: {sentence}.", "Refused: {sentence}."),
    "failed-there": (
        "Er ging iets mis bij de dienst; dat ligt niet aan jou. Geef dit kenmerk aan wie de dienst beheert: {request_id}.",
        "Something failed at the service; it is not your doing. Give this request id to whoever runs the service: {request_id}.",
    ),
    "does-not-verify": (
        "Wat de server gaf klopt niet ({what}). Er is niets getoond en niets verstuurd.",
        "What the server gave does not verify ({what}). Nothing was shown and nothing was sent.",
    ),
    "does-not-fit": (
        "Dit past niet in een melding; er is niets verstuurd.",
        "This does not fit a report; nothing was sent.",
    ),
    "unexpected": (
        "Er ging iets mis dat we niet verwachtten ({kind}).",
        "Something went wrong that we did not expect ({kind}).",
    ),
    "no-installation": (
        "Zeg met --endpoint en --root welke installatie, of start eerst de lokale.",
        "Say with --endpoint and --root which installation, or start the local one first.",
    ),
    # The receipt.
    "unknown-word": (
        "Woord {position}, '{word}', staat niet in de lijst. Bedoel je '{nearest}'?",
        "Word {position}, '{word}', is not in the list. Do you mean '{nearest}'?",
    ),
    "word-count": (
        "Een ontvangstbewijs heeft 12 woorden; dit zijn er {count}.",
        "A receipt has 12 words; this has {count}.",
    ),
    "wrong-word": ("Een van de woorden klopt niet.", "One of the words is not right."),
    "receipt": ("je ontvangstbewijs", "your receipt"),
    "here-is-receipt": (
        "Schrijf deze 12 woorden op. Met deze woorden lees je antwoorden en beslis je wie wat mag lezen.",
        "Write these 12 words down. With them you read answers and decide who may read what.",
    ),
    "receipt-limits": (
        "We laten ze één keer zien en bewaren ze niet. Kwijt is kwijt: dan kun je niet meer bij je melding.",
        "We show them once and do not keep them. Lost is lost: then you cannot reach your report any more.",
    ),
    "maybe-sent": (
        "Het is niet zeker of je melding is aangekomen. Bewaar deze 12 woorden. Probeer ze eerst met `meldbrug status`, voordat je opnieuw meldt.",
        "It is not certain whether your report arrived. Keep these 12 words. Try them first with `meldbrug status`, before you report again.",
    ),
    # Questions.
    "ask-receipt": ("Je 12 woorden", "Your 12 words"),
    "ask-passphrase": ("Wachtzin", "Passphrase"),
    "ask-new-passphrase": ("Nieuwe wachtzin", "New passphrase"),
    "ask-passphrase-again": ("Nog een keer", "Once more"),
    "ask-code": (
        "Code van de productie (leeg: het onafhankelijke meldpunt)",
        "Code of the production (empty: the independent point)",
    ),
    "ask-handler": (
        "Wie mag je melding behandelen? Nummer of naam",
        "Who may handle your report? Number or name",
    ),
    "ask-account": (
        "Schrijf wat er gebeurde. Zeg of het jou overkwam of dat je erbij was. Ctrl-D sluit af.",
        "Write what happened. Say whether it happened to you or whether you were there. Ctrl-D ends.",
    ),
    "ask-text": ("Schrijf je tekst. Ctrl-D sluit af.", "Write your text. Ctrl-D ends."),
    "ask-necessity": (
        "Schrijf waarom delen nodig is. Alleen behandelaars lezen dit. Ctrl-D sluit af.",
        "Write why sharing is necessary. Only handlers read this. Ctrl-D ends.",
    ),
    "ask-give": ("Mag {who} dit lezen?", "May {who} read this?"),
    "ask-refuse": ("Nee zeggen tegen {who}?", "Say no to {who}?"),
    "ask-withdraw": ("Terugnemen van {who}?", "Take it back from {who}?"),
    "ask-withdraw-report": ("De hele melding intrekken?", "Take the whole report back?"),
    "ask-exclude": ("Voorgoed uitsluiten: {who}?", "Exclude for ever: {who}?"),
    "ask-change-intake": (
        "Voortaan behandelen dit: {who}. Wie je niet meer noemt, kan niet meer lezen. Doorgaan?",
        "From now on this is handled by: {who}. Whoever you no longer name stops reading. Go on?",
    ),
    "ask-accept": ("Aanvaard je deze voorwaarden?", "Do you accept these terms?"),
    "ask-decline": (
        "Niet aannemen, voor iedereen bij jullie?",
        "Decline, for everyone at your organisation?",
    ),
    "ask-revoke": (
        "Het besluit intrekken? De kennisgeving sluit.",
        "Revoke the decision? The notice closes.",
    ),
    "ask-remove": ("Verwijderen? Lezen stopt meteen.", "Remove? Reading stops at once."),
    # What the user can put right.
    "say-yes": (
        "Hier kan niets gevraagd worden; zeg --yes als je het zeker weet.",
        "Nothing can be asked here; say --yes when you are sure.",
    ),
    "say-what-changes": (
        "Zeg wat er verandert: --title, --start, --end, --isan of --eidr.",
        "Say what changes: --title, --start, --end, --isan or --eidr.",
    ),
    "nothing-done": ("Er is niets gedaan.", "Nothing was done."),
    "empty-text": ("De tekst is leeg.", "The text is empty."),
    "long-text": (
        "De tekst is te lang: hoogstens {limit} bytes.",
        "The text is too long: at most {limit} bytes.",
    ),
    "does-not-open": (
        "Dit deel gaat niet open. De schrijver heeft het getekend, maar het past niet op je sleutel. Vraag het opnieuw.",
        "This part does not open. Its writer signed it, but it does not fit your key. Ask for it again.",
    ),
    "a-file": ("Een bestand van {bytes} bytes, geen tekst.", "A file of {bytes} bytes, not a text."),
    "unreadable-file": ("{name} kan niet gelezen worden.", "{name} cannot be read."),
    "unreadable-input": ("Wat je typte kan niet gelezen worden.", "What was typed cannot be read."),
    "name-the-notice": (
        "Er is meer dan één vraag. Noem de kennisgeving bij de naam die `meldbrug consent list` laat zien.",
        "There is more than one request. Name the notice as `meldbrug consent list` shows it.",
    ),
    "empty-passphrase": (
        "Een lege wachtzin beschermt niet; zeg --no-passphrase als je dat wilt.",
        "An empty passphrase protects nothing; say --no-passphrase if you want that.",
    ),
    "passphrases-differ": ("De twee wachtzinnen zijn niet gelijk.", "The two passphrases differ."),
    "key-exists": ("Er is al een sleutelbestand.", "There is a key file already."),
    "no-key-file": ("Dit is geen sleutelbestand.", "This is no key file."),
    "choose-handler": (
        "Kies met --handler wie je melding behandelt.",
        "Choose with --handler who handles your report.",
    ),
    "handler-excluded": (
        "Wie je uitsluit kan je melding niet behandelen.",
        "Whoever you exclude cannot handle your report.",
    ),
    # What a reporter reads.
    "server-knows": (
        "De dienst weet welke organisatie je kiest, wie mag lezen en wie je uitsluit. Wat je schrijft kan ze niet lezen. Dat je verbinding maakt, kan je netwerk zien.",
        "The service knows which organisation you choose, who may read, and whom you exclude. It cannot read what you write. Your network can see that you connect.",
    ),
    "report-sent": ("Je melding is binnen bij {names}.", "Your report has reached {names}."),
    "look-again-soon": (
        "Kijk over drie werkdagen met `meldbrug status`.",
        "Look again in three working days with `meldbrug status`.",
    ),
    "look-again": ("Kijk opnieuw op {when}.", "Look again on {when}."),
    "sent": ("Verstuurd.", "Sent."),
    "kept": ("Bewaard.", "Kept."),
    "handled-by": ("Voortaan behandelen dit: {names}.", "From now on this is handled by: {names}."),
    "excluded": ("Uitgesloten: {who}. Lezen is gestopt.", "Excluded: {who}. Reading has stopped."),
    "exclusion-limits": (
        "Uitsluiten is voorgoed. Wie twee keer is ingeschreven, telt voor de dienst als twee personen. Wat iemand al las, kan niemand terugnemen.",
        "Excluding is for ever. Somebody registered twice counts as two persons. What somebody read already, nobody can take back.",
    ),
    "withdraw-report-limits": (
        "Niemand kan daarna iets openen, ook je behandelaar niet. Wie iets al las of kopieerde, houdt dat.",
        "Nobody can open anything after this, your handler included. Who read or copied something keeps that.",
    ),
    "report-withdrawn": (
        "Je melding is ingetrokken. Lezen is gestopt.",
        "Your report is withdrawn. Reading has stopped.",
    ),
    "preview-readers": ("Bij {organisation} zouden lezen:", "At {organisation} would read:"),
    "left-out": (
        "Weggelaten omdat jij uitsloot: {count}. De behandelaar ziet dat niet.",
        "Left out because you excluded: {count}. The handler does not see that.",
    ),
    "preview-purposes": (
        "Waarvoor: {purposes}. Tot uiterlijk {until}.",
        "What for: {purposes}. Until {until} at the latest.",
    ),
    "preview-handler": (
        "Gevraagd door {handler}, op grond van {ground}. Lezers aanvaarden eerst de voorwaarden ({terms}).",
        "Asked by {handler}, on the ground of {ground}. Readers accept the terms first ({terms}).",
    ),
    "preview-limits": (
        "Je kunt dit altijd terugnemen; dan stopt het lezen meteen. Wat iemand al las of kopieerde, kan niemand terugnemen.",
        "You can take this back at any time; then reading stops at once. What somebody read or copied, nobody can take back.",
    ),
    "only-a-part": ("Je geeft hiervan een deel.", "You give a part of this."),
    "given": ("Ja tegen {who}. Zij zien een aankondiging.", "Yes to {who}. They see an announcement."),
    "refused-it": (
        "Nee tegen {who}. Voor ieder ander blijft het onbeantwoord.",
        "No to {who}. For everyone else it stays unanswered.",
    ),
    "withdraw-limits": (
        "Lezen stopt meteen. Wat iemand al las of kopieerde, kan niemand terugnemen; zij moeten kopieën verwijderen.",
        "Reading stops at once. What somebody read or copied, nobody can take back; they must remove copies.",
    ),
    "withdrawn": ("Teruggenomen van {who}. Lezen is gestopt.", "Taken back from {who}. Reading has stopped."),
    "act-consent": ("ja", "yes"),
    "act-refusal": ("nee", "no"),
    "act-withdrawal": ("teruggenomen", "taken back"),
    "circle-organisations": ("Wie meedoen:", "Who takes part:"),
    "circle-counsellors": ("Wie je melding kan behandelen:", "Who can handle your report:"),
    "circle-contacts": (
        "Wie een kennisgeving kan ontvangen, alleen als jij ja zegt:",
        "Who could receive a notice, only if you say yes:",
    ),
    "system": ("systeem", "system"),
    "yourself": ("jijzelf", "yourself"),
    "reporter": ("melder", "reporter"),
    "nothing-here": ("Er is niets.", "There is nothing."),
    # What members read.
    "proposed": (
        "De melder is gevraagd of {who} dit mag lezen ({notice}). Er is niets gedeeld.",
        "The reporter was asked whether {who} may read this ({notice}). Nothing is shared.",
    ),
    "terms": ("voorwaarden {version}", "terms {version}"),
    "reader-limits": (
        "Te lezen tot {until}, zolang de melder dat wil. Geef niets door. Wordt het teruggenomen, verwijder dan je kopieën.",
        "Readable until {until}, as long as the reporter agrees. Pass nothing on. If it is withdrawn, remove your copies.",
    ),
    "withdrawn-notice": ("teruggenomen", "withdrawn"),
    "fingerprint": (
        "Vingerafdruk van je sleutel; lees die voor aan wie jou inschrijft:",
        "Fingerprint of your key; read it out to whoever enrols you:",
    ),
    "exported": (
        "Kopie in {name}. Wie die heeft, met de wachtzin, is jou.",
        "Copied to {name}. Whoever has it, with the passphrase, is you.",
    ),
    "rotated": (
        "De oude sleutel opent niets meer. De nieuwe vingerafdruk:",
        "The old key opens nothing any more. The new fingerprint:",
    ),
    "hand-over-code": (
        "Geef deze code buiten dit systeem om aan {name}; we laten hem één keer zien: {code}",
        "Hand this code to {name} by another way than this; we show it once: {code}",
    ),
    "waits-for-endorsement": (
        "Je sleutel wacht. Lees de vingerafdruk voor aan wie jou uitnodigde.",
        "Your key waits. Read its fingerprint out to whoever invited you.",
    ),
    "endorsed": ("Ingeschreven.", "Enrolled."),
    "done": ("Gedaan.", "Done."),
    # Headings.
    "number": ("nr", "no"),
    "name": ("naam", "name"),
    "role": ("rol", "role"),
    "organisation": ("organisatie", "organisation"),
    "fingerprint-short": ("vingerafdruk", "fingerprint"),
    "when": ("wanneer", "when"),
    "who": ("wie", "who"),
    "what": ("wat", "what"),
    "purpose": ("waarvoor", "what for"),
    "notice": ("kennisgeving", "notice"),
    "state": ("stand", "state"),
    "your-answer": ("jouw antwoord", "your answer"),
    "asked-on": ("gevraagd", "asked"),
    "answer-before": ("antwoord vóór", "answer before"),
    "until": ("tot", "until"),
    "incident": ("melding", "report"),
    "received": ("binnen", "received"),
    "changed": ("veranderd", "changed"),
    "due": ("te doen", "due"),
    "recipient": ("ontvanger", "recipient"),
    "sender": ("afzender", "sender"),
    "production": ("productie", "production"),
    "title": ("titel", "title"),
    "kind": ("soort", "kind"),
    "code": ("code", "code"),
    "period": ("periode", "period"),
    "resource": ("naam in het systeem", "resource name"),
}
