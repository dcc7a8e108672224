/** Every word of the app in Dutch; English has the same names. For reporters: short sentences, plain words. */
export const nl = {
  shell: {
    name: "Meldbrug",
    title: "Overzicht",
    leave: "Snel weg",
    skip: "Naar de inhoud",
    languages: "Taal",
    more: "Meer lezen",
    danger: "Ben je nu in gevaar? Bel",
    back: "Terug",
    next: "Verder",
    wait: "Een ogenblik",
  },
  home: {
    title: "Er is iets gebeurd. Wat nu?",
    lead: "Hier vertel je wat er gebeurde bij een film, serie of programma. Jij bepaalt wie het leest. Je hebt geen account nodig.",
    report: "Vertellen wat er gebeurde",
    reportNote: "Ook als je twijfelt, of als je alleen iets wilt vragen.",
    back: "Terug naar wat ik vertelde",
    backNote: "Met de twaalf woorden die je kreeg.",
    work: "Ik werk voor een organisatie",
    workNote: "Voor vertrouwenspersonen, contactpersonen en beheerders.",
    leaveTitle: "Kijkt er iemand mee?",
    leaveText: "Druk op “Snel weg”, bovenaan elke bladzijde, of drie keer op Shift. Er blijft niets staan, en de terugknop brengt niemand hier. Je netwerk en je werkgever kunnen wel zien dat je deze site opende.",
  },
  rules: {
    title: "Tien regels",
    lead: "Deze tien regels gelden voor iedereen die meewerkt aan film en televisie. Ze staan in het Convenant Sociale Veiligheid Audiovisuele Sector; hier staan ze in gewone woorden.",
    wanted: "Zo gaan we met elkaar om",
    unwanted: "Dit mag niet",
    source: "Naar: Convenant Sociale Veiligheid Audiovisuele Sector, “Afspraken: de basisgedragsregels die voor iedereen gelden”.",
    wantedRules: [
      ["Respect", "We behandelen iedereen met respect. We praten met elkaar en niet slecht over elkaar. We beschuldigen niemand voordat we weten wat er gebeurde."],
      ["Rekening houden met elkaar", "We letten op elkaar. We weten dat wat wij doen een ander raakt. We kijken ook naar onszelf en vragen hoe een ander het ziet."],
      ["Iets zeggen", "We zeggen het als iets goed gaat en als iets niet goed gaat, ook als het niet over onszelf gaat. Een ander mag ons ook aanspreken. We wachten daarmee niet tot er iets misgaat."],
      ["Iedereen hoort erbij", "Het gaat om wat iemand kan, niet om wie iemand is of welke functie iemand heeft. Iedereen krijgt kansen."],
      ["Afspraken nakomen", "We doen wat we afspreken."],
    ],
    unwantedRules: [
      ["Discriminatie", "Iemand beledigen of slechter behandelen om bijvoorbeeld huidskleur, afkomst, geloof, leeftijd, geslacht, een beperking of op wie iemand verliefd wordt. Dat is strafbaar. Racisme is ook discriminatie."],
      ["Seksueel geweld en mishandeling", "Verkrachting, aanranding en mishandeling zijn misdrijven."],
      ["(Seksuele) intimidatie", "Gedrag dat iemand bang maakt, vernedert of kwetst. Is het seksueel, met woorden, blikken of aanraken, dan heet het seksuele intimidatie. Wie het ziet, grijpt in."],
      ["Agressie en geweld", "Iemand lastigvallen, bedreigen of aanvallen, met woorden of met geweld. Wie het ziet, grijpt in."],
      ["Pesten", "Iemand steeds weer vervelend behandelen die zich niet goed kan verweren. Wie het ziet, grijpt in."],
    ],
  },
  help: {
    title: "Wie je kan helpen",
    lead: "Je hoeft niet te kiezen tussen deze mogelijkheden. Het mag ook alle drie, en in elke volgorde.",
    parts: [
      ["De vertrouwenspersoon", "Elke organisatie die meedoet heeft een vertrouwenspersoon. Die luistert, denkt mee en vertelt niets verder zonder jouw ja. Je kunt er ook heen met iets dat strafbaar is."],
      ["Het onafhankelijke meldpunt", "Wil je niet praten met iemand van een organisatie waarvoor je werkt? Het onafhankelijke meldpunt hoort bij geen enkele producent of omroep. Je kunt er altijd terecht, ook zonder productiecode."],
      ["De politie", "Is er iets strafbaars gebeurd, dan kun je aangifte doen. Bij direct gevaar bel je 112, anders 0900-8844. Alleen jij beslist of je aangifte doet. Niemand mag je daartoe dwingen of ervan afhouden."],
      ["Het blijft vertrouwelijk", "Wat je vertelt is altijd vertrouwelijk. Alleen mensen die jij kiest kunnen het lezen."],
      ["Een contract kan je dit niet verbieden", "Staat er in je contract dat je moet zwijgen, of een boete? Dat geldt niet voor het melden van ongewenst gedrag."],
      ["Niemand is schuldig voordat de feiten bekend zijn", "Dat geldt ook voor degene over wie je iets vertelt. Die wordt gehoord wanneer dat veilig kan."],
    ],
  },
  how: {
    title: "Hoe het werkt",
    lead: "In vijf stappen. Je kunt bij elke stap stoppen.",
    steps: [
      ["Kiezen wie het leest", "Met de code van je productie zie je wie er meedoen en wie zou meelezen. Je kiest één persoon, met een plaatsvervanger, of het onafhankelijke meldpunt. Mensen of organisaties die het nooit mogen weten, sluit je uit."],
      ["Je twaalf woorden bewaren", "Je krijgt twaalf woorden. Dat is de enige weg terug. Wij kunnen ze niet opnieuw geven."],
      ["Vertellen", "Je schrijft in je eigen woorden. Op jouw toestel wordt de tekst versleuteld. Wij kunnen hem niet lezen."],
      ["Praten", "De persoon die je koos antwoordt. Je leest dat als je terugkomt met je twaalf woorden."],
      ["Beslissen over delen", "Wil iemand het delen met een andere organisatie, dan vraagt die dat eerst. Je ziet precies wat er gedeeld wordt, met wie en tot wanneer. Je zegt ja, nee, of ja tegen een deel. Zeg je niets, dan is dat nee. Een ja kun je altijd intrekken."],
    ],
    limitsTitle: "Wat dit niet kan",
    limits: [
      "Het is er niet voor direct gevaar. Bel dan 112.",
      "Wie iets gelezen heeft, kan het onthouden of overschrijven. Intrekken stopt alleen het verdere lezen.",
      "Ben je de twaalf woorden kwijt, dan kan niemand je nog binnenlaten.",
      "Wie deze site aanpast, kan meelezen met wat je daarna typt. Daarom kun je nakijken wat er draait.",
      "Je netwerk ziet dat je hier was, niet wat je schreef.",
      "Op een toestel waarop iemand meekijkt, kijkt die ook hier mee.",
    ],
  },
  running: {
    title: "Wat draait hier?",
    lead: "Deze bladzijde vergelijkt de bestanden die je browser kreeg met de lijst van deze versie.",
    checking: "We vergelijken de bestanden.",
    same: (count: number) => `Alle ${count} bestanden zijn gelijk aan de lijst.`,
    differs: (name: string) => `Anders dan de lijst: ${name}. Vul hier niets in en waarschuw de organisatie.`,
    failed: "De lijst is niet te lezen. Of alles klopt is dus niet bekend.",
    listDigest: "Controlegetal van de lijst",
    compare: "Vergelijk dit getal met het getal dat bij deze versie gepubliceerd is, liefst op een ander toestel: een vervalste bladzijde kan ook hier liegen.",
  },
  nowhere: { title: "Deze bladzijde is er niet", text: "Misschien klopt het adres niet.", home: "Naar het begin" },
};

type Texts<T> = T extends string
  ? string
  : T extends (...given: infer Given) => string
    ? (...given: Given) => string
    : T extends readonly (infer Item)[]
      ? readonly Texts<Item>[]
      : { readonly [Name in keyof T]: Texts<T[Name]> };

/** What every language has words for. */
export type Words = Texts<typeof nl>;
