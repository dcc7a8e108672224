"""Names of the wire's values: as they are typed, and as they are shown in both languages."""

from __future__ import annotations

from typing import Final

from meldbrug.client import MeldbrugError
from meldbrug.common.v1 import common_pb2 as common

from .words import Language, Words

LANGUAGE_NAMES: Final[dict[str, Language]] = {"nl": "nl", "en": "en"}
LANGUAGES: Final[dict[Language, common.Language.ValueType]] = {
    "nl": common.LANGUAGE_NL,
    "en": common.LANGUAGE_EN,
}
CATEGORIES: Final[dict[str, common.Category.ValueType]] = {
    "discrimination": common.CATEGORY_DISCRIMINATION,
    "sexual-violence": common.CATEGORY_SEXUAL_VIOLENCE_AND_PHYSICAL_ABUSE,
    "harassment": common.CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION,
    "aggression": common.CATEGORY_AGGRESSION_AND_VIOLENCE,
    "bullying": common.CATEGORY_BULLYING,
}
PURPOSES: Final[dict[str, common.Purpose.ValueType]] = {
    "protect-people": common.PURPOSE_PROTECT_PEOPLE,
    "coordinate-follow-up": common.PURPOSE_COORDINATE_FOLLOW_UP,
    "preserve-evidence": common.PURPOSE_PRESERVE_EVIDENCE,
    "inform": common.PURPOSE_INFORM,
}
GROUNDS: Final[dict[str, common.Ground.ValueType]] = {
    "reporter-consent": common.GROUND_REPORTER_CONSENT,
    "legal-obligation": common.GROUND_LEGAL_OBLIGATION,
    "legitimate-interest": common.GROUND_LEGITIMATE_INTEREST,
    "vital-interest": common.GROUND_VITAL_INTEREST,
    "legal-claims": common.GROUND_LEGAL_CLAIMS,
    "licence": common.GROUND_LICENCE,
}
DECLINE_REASONS: Final[dict[str, common.DeclineReason.ValueType]] = {
    "not-concerned": common.DECLINE_REASON_NOT_CONCERNED,
    "conflict-of-interest": common.DECLINE_REASON_CONFLICT_OF_INTEREST,
    "terms": common.DECLINE_REASON_TERMS,
    "capacity": common.DECLINE_REASON_CAPACITY,
    "other": common.DECLINE_REASON_OTHER,
}
OUTCOMES: Final[dict[str, common.IncidentState.ValueType]] = {
    "assessing": common.INCIDENT_STATE_ASSESSING,
    "own-follow-up": common.INCIDENT_STATE_OWN_FOLLOW_UP,
    "sharing-considered": common.INCIDENT_STATE_SHARING_CONSIDERED,
    "advice-only": common.INCIDENT_STATE_ADVICE_ONLY,
}
# The states in which a reader may see a notice; the others are for its sender.
NOTICE_STATES: Final[dict[str, common.NoticeState.ValueType]] = {
    "offered": common.NOTICE_STATE_OFFERED,
    "terms-accepted": common.NOTICE_STATE_TERMS_ACCEPTED,
    "declined": common.NOTICE_STATE_DECLINED,
    "lapsed": common.NOTICE_STATE_LAPSED,
    "opened": common.NOTICE_STATE_OPENED,
    "acknowledged": common.NOTICE_STATE_ACKNOWLEDGED,
    "withdrawn": common.NOTICE_STATE_WITHDRAWN,
    "recall-requested": common.NOTICE_STATE_RECALL_REQUESTED,
}
CAPACITIES: Final[dict[str, common.Capacity.ValueType]] = {
    "counsellor": common.CAPACITY_COUNSELLOR,
    "safety-contact": common.CAPACITY_SAFETY_CONTACT,
}

_LABELS: Final[dict[str, tuple[str, str]]] = {
    "KIND_CONTEXT": ("waar en wanneer", "where and when"),
    "KIND_SUMMARY": ("samenvatting", "summary"),
    "KIND_MEASURES": ("maatregelen", "measures"),
    "KIND_ACCOUNT": ("wat er gebeurde", "what happened"),
    "KIND_IMPACT": ("wat het met je doet", "what it did"),
    "KIND_DETERMINATION": ("vaststelling", "determination"),
    "KIND_REPLY": ("wederhoor", "reply"),
    "KIND_WITNESSES": ("wie erbij was", "who was there"),
    "KIND_EVIDENCE": ("bewijs", "evidence"),
    "KIND_REPORTER_IDENTITY": ("wie de melder is", "who the reporter is"),
    "KIND_ACCUSED_IDENTITY": ("over wie het gaat", "who it is about"),
    "KIND_MESSAGE": ("bericht", "message"),
    "KIND_INTERNAL_NOTE": ("aantekening van behandelaars", "handlers' note"),
    "PURPOSE_PROTECT_PEOPLE": ("mensen beschermen", "protect people"),
    "PURPOSE_COORDINATE_FOLLOW_UP": ("samen opvolgen", "follow up together"),
    "PURPOSE_PRESERVE_EVIDENCE": ("bewijs bewaren", "keep evidence"),
    "PURPOSE_INFORM": ("ervan weten", "know about it"),
    "GROUND_REPORTER_CONSENT": ("jouw toestemming", "your consent"),
    "GROUND_LEGAL_OBLIGATION": ("een wettelijke plicht", "a legal obligation"),
    "GROUND_LEGITIMATE_INTEREST": ("een gerechtvaardigd belang", "a legitimate interest"),
    "GROUND_VITAL_INTEREST": ("een vitaal belang", "a vital interest"),
    "GROUND_LEGAL_CLAIMS": ("een rechtsvordering", "legal claims"),
    "GROUND_LICENCE": ("een vergunning", "a licence"),
    "CATEGORY_DISCRIMINATION": ("discriminatie", "discrimination"),
    "CATEGORY_SEXUAL_VIOLENCE_AND_PHYSICAL_ABUSE": (
        "seksueel geweld en mishandeling",
        "sexual violence and physical abuse",
    ),
    "CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION": (
        "(seksuele) intimidatie",
        "(sexual) harassment and intimidation",
    ),
    "CATEGORY_AGGRESSION_AND_VIOLENCE": ("agressie en geweld", "aggression and violence"),
    "CATEGORY_BULLYING": ("pesten", "bullying"),
    "INCIDENT_STATE_RECEIVED": ("ontvangen", "received"),
    "INCIDENT_STATE_ACKNOWLEDGED": ("bevestigd door de behandelaar", "acknowledged by the handler"),
    "INCIDENT_STATE_ASSESSING": ("wordt bekeken", "being looked into"),
    "INCIDENT_STATE_OWN_FOLLOW_UP": ("de organisatie volgt het zelf op", "the organisation follows it up"),
    "INCIDENT_STATE_SHARING_CONSIDERED": (
        "delen wordt overwogen, met jou",
        "sharing is considered, with you",
    ),
    "INCIDENT_STATE_ADVICE_ONLY": ("er is advies gegeven", "advice was given"),
    "INCIDENT_STATE_WITHDRAWN": ("ingetrokken", "withdrawn"),
    "NOTICE_STATE_CONSENT_PENDING": ("wacht op antwoord van de melder", "waits for the reporter's answer"),
    "NOTICE_STATE_NOT_CONSENTED": ("geen toestemming", "not consented"),
    "NOTICE_STATE_OFFERED": ("aangeboden", "offered"),
    "NOTICE_STATE_TERMS_ACCEPTED": ("voorwaarden aanvaard", "terms accepted"),
    "NOTICE_STATE_DECLINED": ("niet aangenomen", "declined"),
    "NOTICE_STATE_LAPSED": ("niet op tijd beantwoord", "not answered in time"),
    "NOTICE_STATE_OPENED": ("geopend", "opened"),
    "NOTICE_STATE_ACKNOWLEDGED": ("gelezen en bevestigd", "read and acknowledged"),
    "NOTICE_STATE_WITHDRAWN": ("teruggenomen", "withdrawn"),
    "NOTICE_STATE_RECALL_REQUESTED": (
        "teruggenomen; kopieën moeten weg",
        "withdrawn; copies must be removed",
    ),
    "NOTICE_STATE_EXPIRED": ("verlopen", "expired"),
    "ANSWER_NONE": ("nog geen antwoord", "not answered yet"),
    "ANSWER_GIVEN": ("ja", "yes"),
    "ANSWER_REFUSED": ("nee", "no"),
    "ANSWER_WITHDRAWN": ("teruggenomen", "taken back"),
    "ANSWER_EXPIRED": ("verlopen", "expired"),
    "ANSWER_LAPSED": ("niet op tijd beantwoord", "not answered in time"),
    "ANSWER_CLOSED": ("gesloten", "closed"),
    "CLOCK_KIND_ACKNOWLEDGEMENT": ("bevestigen", "acknowledge"),
    "CLOCK_KIND_FEEDBACK": ("terugkoppelen", "give feedback"),
    "CLOCK_KIND_CONSENT_ANSWER": ("antwoord van de melder", "the reporter's answer"),
    "CLOCK_KIND_STUB_ANSWER": ("antwoord van de ontvanger", "the recipient's answer"),
    "CLOCK_KIND_NOTICE_ACKNOWLEDGEMENT": ("bevestigen", "acknowledge"),
    "CLOCK_KIND_RECALL_CONFIRMATION": ("kopieën weg", "copies removed"),
    "CAPACITY_COUNSELLOR": ("vertrouwenspersoon", "counsellor"),
    "CAPACITY_SAFETY_CONTACT": ("contactpersoon veiligheid", "safety contact"),
    "STATE_ACKNOWLEDGED": ("bevestigd", "acknowledged"),
    "STATE_ACTIVE": ("actief", "active"),
    "STATE_SUSPENDED": ("geschorst", "suspended"),
    "STATE_LEFT": ("weg", "left"),
    "STATE_INVITED": ("uitgenodigd", "invited"),
    "STATE_KEY_PENDING": ("sleutel wacht op vergelijking", "key waits to be compared"),
    "STATE_REMOVED": ("verwijderd", "removed"),
    "STATE_PROPOSED": ("voorgesteld", "proposed"),
    "STATE_ACCEPTED": ("aanvaard", "accepted"),
    "STATE_ENDED": ("beëindigd", "ended"),
}


def label(words: Words, name: str) -> str:
    """Returns what a value is called in the language; its own name when a newer service made it up."""
    return words.choose(_LABELS[name]) if name in _LABELS else name


def state_label(words: Words, state: str) -> str:
    """Returns what a state that a refusal names is called; refusals name it without its prefix."""
    prefixes = ("STATE_", "INCIDENT_STATE_", "NOTICE_STATE_")
    known = [prefix + state for prefix in prefixes if prefix + state in _LABELS]
    return label(words, known[0]) if known else state.lower().replace("_", " ")


def kind_of(name: str) -> common.Kind.ValueType:
    """Returns the kind called `name` on the command line, such as `account` or `reporter-identity`.

    Raises:
        MeldbrugError: there is none.
    """
    wire_name = f"KIND_{name.upper().replace('-', '_')}"
    if name == "unspecified" or wire_name not in common.Kind.keys():  # noqa: SIM118 - an enum, not a dict
        raise MeldbrugError(f"there is no kind called {name!r}")
    return common.Kind.Value(wire_name)
