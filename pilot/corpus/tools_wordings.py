"""Tables for the tool conversations: words for names, descriptions and questions.

Slots of a question: `{n}` the thing travelled by, `{A}` where from, `{B}` where to, `{dA}` the
French "de" or "d'" with A, `{x}` where what is said in addition (a date, a class) goes; without
`{x}` it goes before the last mark.
"""
# ruff: noqa: RUF001, SIM905

VERBS: dict[str, tuple[str, ...]] = {
    "en": tuple(
        "get find search lookup look_up fetch query check list next show plan retrieve "
        "request read ask".split()
    ),
    "fr": ("rechercher", "trouver", "chercher", "obtenir", "lister"),
    "es": ("buscar", "consultar", "encontrar", "obtener", "listar"),
}
SUFFIXES: tuple[str, ...] = (
    "", "", "", "info", "information", "schedule", "times", "search", "options", "details", "data",
    "finder", "lookup", "planner", "between_cities", "by_city", "timetable", "connections",
    "departures", "tool", "service", "v2",
)  # fmt: skip
PLACE_SUFFIXES: tuple[str, ...] = (
    "", "", "", "info", "information", "search", "data", "details", "lookup", "tool", "service",
    "v2", "by_city", "finder", "in_city",
)  # fmt: skip
PREFIXES: tuple[str, ...] = ("travel", "trip", "api", "my", "go", "journey", "mobility")
MODE_NOUNS: dict[str, dict[str, tuple[str, ...]]] = {
    "flight": {
        "en": ("flight", "flights", "plane", "air_travel", "next_flight"),
        "fr": ("vol", "vols", "avion"),
        "es": ("vuelo", "vuelos", "avion"),
    },
    "train": {
        "en": ("train", "trains", "rail", "railway", "train_trip"),
        "fr": ("train", "trains"),
        "es": ("tren", "trenes"),
    },
    "bus": {
        "en": ("bus", "buses", "bus_route", "coach", "bus_line"),
        "fr": ("bus", "autocar"),
        "es": ("autobus", "bus"),
    },
    "ferry": {
        "en": ("ferry", "ferries", "boat", "ship", "sea_route"),
        "fr": ("ferry", "bateau"),
        "es": ("ferry", "barco"),
    },
    "ride": {
        "en": ("ride", "taxi", "car_ride", "cab", "car_share"),
        "fr": ("taxi", "course"),
        "es": ("taxi", "viaje"),
    },
    "route": {
        "en": ("route", "directions", "trip_route", "path", "way"),
        "fr": ("itineraire", "trajet"),
        "es": ("ruta", "trayecto"),
    },
}
SPOKEN: dict[str, dict[str, tuple[str, ...]]] = {
    "flight": {
        "en": ("flight", "flight", "flight", "plane"),
        "fr": ("vol", "vol", "avion"),
        "es": ("vuelo", "vuelo", "avión"),
        "ja": ("フライト", "飛行機", "便"),
    },
    "train": {
        "en": ("train", "train", "fast train", "railway connection"),
        "fr": ("train", "TGV"),
        "es": ("tren",),
        "ja": ("電車", "列車", "新幹線"),
    },
    "bus": {
        "en": ("bus", "bus", "coach", "night bus"),
        "fr": ("bus", "car", "autocar"),
        "es": ("autobús", "bus"),
        "ja": ("バス", "高速バス"),
    },
    "ferry": {
        "en": ("ferry", "ferry", "boat", "ship"),
        "fr": ("ferry", "bateau"),
        "es": ("ferry", "barco"),
        "ja": ("フェリー", "船"),
    },
    "ride": {
        "en": ("taxi", "ride", "cab", "car ride"),
        "fr": ("taxi",),
        "es": ("taxi",),
        "ja": ("タクシー",),
    },
}
GENERIC: dict[str, tuple[str, ...]] = {
    "en": (
        "When is the next {n} from {A} to {B}?",
        "When does the next {n} from {A} to {B} leave?",
        "What time is the next {n} from {A} to {B}?",
        "Is there a {n} from {A} to {B}?",
        "Is there a {n} to {B} leaving {A}{x}?",
        "Is there any {n} that goes from {A} to {B}?",
        "Are there any {n} connections between {A} and {B}?",
        "Find a {n} from {A} to {B}.",
        "Find me a {n} to {B} from {A}.",
        "Find the next {n} going from {A} to {B}.",
        "I need a {n} from {A} to {B}.",
        "I need to get to {B} from {A} by {n}.",
        "I am looking for a {n} from {A} to {B}.",
        "I'm looking for a {n} to {B}, starting in {A}.",
        "I'm in {A} and want to take a {n} to {B}.",
        "I am in {A}. Which {n} takes me to {B}?",
        "I live in {A} and would like a {n} to {B}.",
        "I want to go to {B} by {n}, I am in {A}.",
        "I have to be in {B}{x}, and I start from {A}. Which {n} can I take?",
        "Show me the next {n} from {A} to {B}.",
        "Show the {n} times between {A} and {B}.",
        "Tell me about the next {n} from {A} to {B}.",
        "Tell me when the {n} from {A} to {B} leaves.",
        "Which {n} goes from {A} to {B}?",
        "Which {n} can I take to {B} if I leave from {A}?",
        "What is the next {n} to {B} from {A}?",
        "What {n} options are there from {A} to {B}?",
        "How can I go from {A} to {B} by {n}?",
        "Can I take a {n} from {A} to {B}?",
        "Can you find a {n} between {A} and {B}?",
        "Can you check the {n} from {A} to {B}?",
        "Check if there is a {n} from {A} to {B}.",
        "Look up the {n} from {A} to {B}.",
        "Give me the details of the next {n} from {A} to {B}.",
        "We are leaving {A} for {B}. When is the next {n}?",
        "We want to travel from {A} to {B} by {n}.",
        "My trip starts in {A} and ends in {B}. Is there a {n}?",
        "From {A} to {B}, when is the next {n}?",
        "To {B} from {A}: is there a {n}?",
        "{n} from {A} to {B}",
        "{n} {A} to {B}",
        "next {n} {A} - {B}",
        "{A} to {B} by {n}",
        "{n} to {B} from {A}",
        "Does a {n} run from {A} to {B}?",
        "Does any {n} leave {A} for {B}?",
        "How often is there a {n} between {A} and {B}?",
        "How much is a {n} from {A} to {B}?",
        "Who offers a {n} from {A} to {B}?",
        "My friend is in {A} and needs a {n} to {B}.",
        "I will be in {A}{x}; please find a {n} to {B}.",
        "Get me to {B} by {n}; I am in {A}.",
        "Origin: {A}. Destination: {B}. Which {n}?",
        "Destination {B}, origin {A}, by {n}.",
        "Departure: {A}, arrival: {B}, {n}.",
        "I would like to leave {A} and arrive in {B} by {n}.",
        "I'm heading to {B}. When does the {n} leave {A}?",
        "After my stay in {A} I go on to {B}. Is there a {n}?",
        "I have a meeting in {B} but I am still in {A}. Is there a {n}?",
        "Plan a trip by {n} from {A} to {B}.",
        "Are there {ns} from {A} to {B}?",
        "Are there any {ns} to {B} from {A}?",
        "Which {ns} go from {A} to {B}?",
        "Show me all {ns} from {A} to {B}.",
        "List the {ns} between {A} and {B}.",
        "{ns} from {A} to {B}",
        "Find {ns} to {B} that leave from {A}.",
        "Book a {n} from {A} to {B}.",
        "I want to book a {n} to {B} from {A}.",
        "What about a {n} from {A} to {B}?",
        "And the next {n} from {A} to {B}?",
        "I must get from {A} to {B}. Is there a {n}?",
        "When can I take a {n} to {B} if I am in {A}?",
        "Give me information about the {n} from {A} to {B}.",
        "What is the first {n} out of {A} to {B}?",
        "When is the last {n} to {B} from {A}?",
        "Do you know when the next {n} leaves {A} for {B}?",
        "Could you tell me which {n} goes to {B} from {A}?",
        "My family travels from {A} to {B}{x}. Which {n} is best?",
        "Is it possible to reach {B} from {A} by {n}?",
        "I'd like to know the next {n} from the city of {A} to the city of {B}.",
        "Starting in {A}, I want to reach {B} by {n}.",
        "Going to {B}, coming from {A}: which {n} should I take?",
        "We are a group in {A} and we need a {n} to {B}.",
        "What time does the {n} for {B} leave from {A}?",
        "At what time does the {n} from {A} get to {B}?",
        "How long does the {n} from {A} to {B} take?",
    ),
    "fr": (
        "Quand part le prochain {n} {dA} à {B} ?",
        "À quelle heure est le prochain {n} {dA} à {B} ?",
        "Y a-t-il un {n} {dA} à {B} ?",
        "Y a-t-il un {n} pour {B} au départ {dA} ?",
        "Est-ce qu'il y a un {n} entre {A} et {B} ?",
        "Je cherche un {n} {dA} à {B}.",
        "Je voudrais un {n} pour {B} en partant {dA}.",
        "Je suis à {A} et je veux prendre un {n} pour {B}.",
        "Trouve-moi un {n} {dA} à {B}.",
        "Trouvez un {n} qui va {dA} à {B}.",
        "Quel {n} va {dA} à {B} ?",
        "Quel est le prochain {n} vers {B} depuis {A} ?",
        "J'ai besoin d'aller à {B} depuis {A}. Quel {n} puis-je prendre ?",
        "Depuis {A}, quel {n} puis-je prendre pour {B} ?",
        "{n} {A} - {B}",
        "Peux-tu chercher un {n} entre {A} et {B} ?",
        "Nous partons {dA} pour {B}. Quand est le prochain {n} ?",
    ),
    "es": (
        "¿Cuándo sale el próximo {n} de {A} a {B}?",
        "¿A qué hora sale el próximo {n} de {A} a {B}?",
        "¿Hay un {n} de {A} a {B}?",
        "¿Hay algún {n} a {B} desde {A}?",
        "¿Hay algún {n} entre {A} y {B}?",
        "Busco un {n} de {A} a {B}.",
        "Necesito un {n} a {B} desde {A}.",
        "Quiero ir a {B} desde {A}. ¿Qué {n} puedo tomar?",
        "Estoy en {A} y quiero tomar un {n} a {B}.",
        "Encuentra un {n} de {A} a {B}.",
        "¿Qué {n} va de {A} a {B}?",
        "Dime cuándo sale el {n} de {A} a {B}.",
        "¿Puedes buscar un {n} desde {A} hasta {B}?",
        "Salgo de {A} y voy a {B}. ¿Hay un {n}?",
        "{n} de {A} a {B}",
    ),
    "ja": (
        "{x}{A}から{B}への次の{n}はいつですか？",
        "{x}{A}から{B}まで行く{n}はありますか？",
        "{x}{A}から{B}までの{n}を調べてください。",
        "{x}{B}へ行く{n}を探しています。出発は{A}です。",
        "今{A}にいます。{x}{B}へ行く{n}を教えてください。",
        "{x}{A}発{B}行きの{n}を検索して。",
        "{x}{A}から{B}へ{n}で行きたいです。",
    ),
}
FRESH: tuple[str, ...] = (
    "Which {n} would get me from {A} over to {B}?",
    "What's the quickest {n} if I'm travelling {A} to {B}?",
    "I'm thinking of taking a {n} to {B}; I'd set off from {A}.",
    "Got any {n} for the trip {A} - {B}?",
    "Trip from {A}, heading for {B}, by {n}: what is there?",
    "Mum lives in {B} and I'm over in {A}. When's the next {n}?",
    "Could there be a {n} linking {A} and {B}?",
    "{A} is where I am, {B} is where I want to be. Find a {n}.",
    "Let's go from {A} to {B} with the next {n}!",
    "I missed my {n} from {A} to {B}, when does the following one go?",
    "Which company runs the {n} that joins {A} to {B}?",
    "Is the {n} I take in {A} going to stop in {B}?",
    "Please arrange a {n} so that I get to {B} from {A}.",
    "How early can a {n} bring me from {A} to {B}?",
    "Departing {A}, arriving {B}: show me a {n}.",
    "A {n}, from {A}, to {B}, as soon as you can.",
)
"""Questions that neither training nor any decision about training has seen: what the held-out
wordings were before somebody looked at how they fail."""
SPECIFIC: dict[str, dict[str, tuple[str, ...]]] = {
    "flight": {
        "en": (
            "I want to fly from {A} to {B}.",
            "I'm in {A} and want to fly to {B}.",
            "Can I fly to {B} from {A}?",
            "Which airline flies from {A} to {B}?",
            "When can I fly from {A} to {B}?",
            "How do I fly to {B} if I am in {A}?",
            "Next departure by air from {A} to {B}?",
            "Which planes go from {A} to {B}?",
            "Flights between {A} and {B}?",
            "I need to fly out of {A} and land in {B}.",
            "What is the flight number of the next plane from {A} to {B}?",
        ),
        "fr": ("Je veux prendre l'avion {dA} à {B}.", "Quels sont les vols entre {A} et {B} ?"),
        "es": ("Quiero volar de {A} a {B}.", "¿Qué vuelos hay entre {A} y {B}?"),
        "ja": ("{x}{A}から{B}まで飛行機で行けますか？",),
    },
    "train": {
        "en": (
            "Can I go by rail from {A} to {B}?",
            "Which trains run between {A} and {B}?",
            "From which platform does the train from {A} to {B} leave?",
            "I'd like to take the train to {B} from {A}.",
            "Train times from {A} to {B}?",
        ),
        "fr": ("Quels trains vont {dA} à {B} ?",),
        "es": ("¿Qué trenes van de {A} a {B}?",),
        "ja": ("{x}{A}から{B}まで電車で行けますか？",),
    },
    "bus": {
        "en": (
            "Which buses go from {A} to {B}?",
            "I'd like to go by coach from {A} to {B}.",
            "Is the bus running between {A} and {B}?",
            "Bus times from {A} to {B}?",
        ),
        "fr": ("Quels bus vont {dA} à {B} ?",),
        "es": ("¿Qué autobuses van de {A} a {B}?",),
        "ja": ("{x}{A}から{B}までバスで行けますか？",),
    },
    "ferry": {
        "en": (
            "Can I cross by boat from {A} to {B}?",
            "When does the ship from {A} sail to {B}?",
            "Which ferries sail between {A} and {B}?",
            "I want to sail from {A} to {B}.",
        ),
        "fr": ("Quels bateaux vont {dA} à {B} ?",),
        "es": ("¿Qué barcos van de {A} a {B}?",),
        "ja": ("{x}{A}から{B}まで船で行けますか？",),
    },
    "ride": {
        "en": (
            "Book me a ride from {A} to {B}.",
            "Call a cab to take me from {A} to {B}.",
            "Pick me up in {A} and drive me to {B}.",
            "Can a driver take me from {A} to {B}?",
            "What does a taxi from {A} to {B} cost?",
        ),
        "fr": ("Appelle un taxi pour aller {dA} à {B}.",),
        "es": ("Pide un taxi de {A} a {B}.",),
        "ja": ("{x}{A}から{B}までタクシーを呼んでください。",),
    },
    "route": {
        "en": (
            "How do I get from {A} to {B}?",
            "What is the best way from {A} to {B}?",
            "Show me the way from {A} to {B}.",
            "How far is it from {A} to {B}?",
            "What is the distance between {A} and {B}?",
            "Give me directions from {A} to {B}.",
            "Which route goes from {A} to {B}?",
            "I need to get to {B} from {A}.",
            "I am in {A}. How do I reach {B}?",
            "How long does it take to go from {A} to {B}?",
            "Plan a route to {B} starting in {A}.",
            "Directions to {B} from {A}",
            "What is the shortest route between {A} and {B}?",
            "I'm driving from {A} to {B}. Which way should I take?",
        ),
        "fr": (
            "Comment aller {dA} à {B} ?",
            "Quel est le meilleur chemin pour aller à {B} depuis {A} ?",
            "Quelle est la distance entre {A} et {B} ?",
            "Montre-moi l'itinéraire entre {A} et {B}.",
        ),
        "es": (
            "¿Cómo llego de {A} a {B}?",
            "¿Cuál es la mejor ruta de {A} a {B}?",
            "¿Qué distancia hay entre {A} y {B}?",
            "Estoy en {A}. ¿Cómo llego a {B}?",
        ),
        "ja": (
            "{A}から{B}までの行き方を教えてください。",
            "{A}から{B}までどのくらいの距離ですか？",
            "{A}から{B}までのルートを調べて。",
        ),
    },
}
OPENERS: dict[str, tuple[str, ...]] = {
    "en": (
        "Hello! ", "Hi, ", "Hello, ", "Good morning. ", "Please help me. ", "Quick question: ",
        "Hey, ", "I have a question. ", "Sorry to bother you. ", "Good evening! ",
"I am planning a trip. ", "It is my first trip. ", "We are four friends. ",
        "I love the sea. ", "I have to work there. ", "My holidays start soon. ", "I am late! ",
        "I do not like to drive. ", "Time to travel! ",
    ),
    "fr": ("Bonjour, ", "Bonjour ! ", "Salut ! ", "Une question : ", "Bonsoir. "),
    "es": ("Hola, ", "¡Hola! ", "Buenos días. ", "Una pregunta: "),
    "ja": ("こんにちは。", "すみません、", "質問です。"),
}  # fmt: skip
CLOSERS: dict[str, tuple[str, ...]] = {
    "en": (" Thanks!", " Thank you.", " Please help.", " Thanks in advance."),
    "fr": (" Merci !", " Merci d'avance."),
    "es": (" ¡Gracias!", " Gracias."),
    "ja": ("よろしくお願いします。",),
}
DESCRIBED: dict[str, dict[str, tuple[str, ...]]] = {
    "flight": {
        "en": ("flights", "the next flight", "air connections", "planes", "flight times"),
        "fr": ("les vols", "le prochain vol"),
        "es": ("los vuelos", "el próximo vuelo"),
    },
    "train": {
        "en": ("trains", "the next train", "rail connections", "train times"),
        "fr": ("les trains", "le prochain train"),
        "es": ("los trenes", "el próximo tren"),
    },
    "bus": {
        "en": ("buses", "the next bus", "bus connections", "coach lines", "bus times"),
        "fr": ("les bus", "le prochain bus"),
        "es": ("los autobuses", "el próximo autobús"),
    },
    "ferry": {
        "en": ("ferries", "the next ferry", "boat connections", "ships", "ferry times"),
        "fr": ("les ferrys", "le prochain bateau"),
        "es": ("los ferris", "el próximo barco"),
    },
    "ride": {
        "en": ("a taxi", "a ride by car", "rides", "the next cab"),
        "fr": ("les taxis", "un taxi"),
        "es": ("los taxis", "un taxi"),
    },
    "route": {
        "en": ("the route", "directions", "the best way", "the distance and the way"),
        "fr": ("l'itinéraire", "le meilleur chemin"),
        "es": ("la ruta", "el mejor camino"),
    },
}
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "en": (
        "Returns information about {d} between two cities.",
        "Finds {d} between two places",
        "Look up {d} from one city to another.",
        "Get {d} from an origin to a destination.",
        "Use this to find {d} for a traveller.",
        "Gives {d} for a trip from one town to another, with times and prices.",
        "Search {d}.",
        "Information about {d}",
        "Tells the user about {d} between a start and an end point.",
        "Call this function when the user asks for {d}.",
    ),
    "fr": (
        "Donne {d} entre deux villes.",
        "Recherche {d} d'une ville à une autre",
        "Renvoie des informations sur {d}.",
    ),
    "es": (
        "Devuelve {d} entre dos ciudades.",
        "Busca {d} de una ciudad a otra",
        "Da información sobre {d}.",
    ),
}
FIXED_PAIRS: tuple[tuple[str, str], ...] = (
    ("origin_city", "destination_city"), ("from", "to"), ("from_city", "to_city"),
    ("origin", "destination"), ("departure", "arrival"), ("departure_city", "arrival_city"),
    ("start", "end"), ("source", "target"), ("loc_origin", "loc_destination"),
    ("ville_depart", "ville_arrivee"), ("depart", "arrivee"), ("origen", "destino"),
    ("ciudad_origen", "ciudad_destino"), ("salida", "llegada"), ("src", "dst"), ("orig", "dest"),
    ("start_city", "end_city"), ("starting_point", "end_point"), ("pickup", "dropoff"),
    ("leave_from", "go_to"), ("city_from", "city_to"), ("fromCity", "toCity"),
    ("originCity", "destinationCity"), ("startLocation", "endLocation"), ("home", "goal"),
    ("first_city", "second_city"), ("de", "a"),
)  # fmt: skip
PAIR_STEMS: tuple[tuple[str, str], ...] = (
    ("origin", "destination"), ("from", "to"), ("start", "end"), ("departure", "arrival"),
    ("source", "target"), ("start", "destination"), ("departure", "destination"),
    ("begin", "finish"), ("source", "destination"),
)  # fmt: skip
PAIR_HEADS: tuple[str, ...] = (
    "city", "location", "place", "town", "name", "point", "station", "stop", "airport", "address",
    "city_name", "loc", "area", "port",
)  # fmt: skip
NEUTRAL_PAIRS: tuple[tuple[str, str], ...] = (
    ("a", "b"), ("x", "y"), ("city_a", "city_b"), ("city1", "city2"), ("place_1", "place_2"),
    ("p1", "p2"), ("point_a", "point_b"), ("arg1", "arg2"),
)  # fmt: skip
ORIGIN_TEXTS: tuple[str, ...] = (
    "The name of the city where the trip starts", "City of departure", "Where the trip begins",
    "The origin city", "The city the user leaves from", "Starting place, for example a town",
    "Departure city name", "The place to leave from", "Origin", "Ville de départ",
    "La ciudad de origen", "Where the traveller is now", "Start of the journey",
)  # fmt: skip
DESTINATION_TEXTS: tuple[str, ...] = (
    "The name of the city where the trip ends", "City of arrival", "Where the trip goes to",
    "The destination city", "The city the user wants to reach", "The place to arrive at",
    "Arrival city name", "The place to go to", "Destination", "Ville d'arrivée",
    "La ciudad de destino", "Where the traveller wants to go", "End of the journey",
)  # fmt: skip
DATE_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" on {v}", " on {v}", " {r}", " {r}"),
    "fr": (" le {v}", " {r}"),
    "es": (" el {v}", " {r}"),
    "ja": ("{v}に",),
}
DAYS: dict[str, tuple[str, ...]] = {
    "en": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "fr": tuple("lundi mardi mercredi jeudi vendredi samedi dimanche".split()),
    "es": tuple("lunes martes miércoles jueves viernes sábado domingo".split()),
    "ja": tuple("月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日".split()),
}
MONTHS: dict[str, tuple[str, ...]] = {
    "en": tuple(
        "January February March April May June July August September October November "
        "December".split()
    ),
    "fr": tuple(
        "janvier février mars avril mai juin juillet août septembre octobre novembre "
        "décembre".split()
    ),
    "es": tuple(
        "de enero|de febrero|de marzo|de abril|de mayo|de junio|de julio|de agosto|"
        "de septiembre|de octubre|de noviembre|de diciembre".split("|")
    ),
    "ja": tuple(f"{n}月" for n in range(1, 13)),
}
RELATIVE: dict[str, tuple[str, ...]] = {
    "en": ("tomorrow", "today", "tonight", "next week", "this weekend", "next Monday",
           "next Friday", "tomorrow morning", "next month"),
    "fr": ("demain", "aujourd'hui", "ce soir", "demain matin", "ce week-end"),
    "es": ("mañana", "hoy", "esta noche", "este fin de semana"),
    "ja": ("明日", "今日"),
}  # fmt: skip
CLASS_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" in {v} class", " in {v} class"),
}
CLASSES = ("economy", "business", "first", "premium")
PASSENGER_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" for {v} passengers", " for {v} people", " for {v} travellers", " for {v} persons"),
    "fr": (" pour {v} personnes", " pour {v} passagers"),
    "es": (" para {v} personas", " para {v} pasajeros"),
}
PRICE_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" under {v} euros", " for less than {v} dollars", " for at most {v} euros"),
    "fr": (" à moins de {v} euros", " pour moins de {v} euros"),
    "es": (" por menos de {v} euros",),
}
NIGHT_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" for {v} nights",),
    "fr": (" pour {v} nuits",),
    "es": (" para {v} noches",),
}
UNIT_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (" in {v}", " in degrees {v}"),
    "fr": (" en degrés {v}",),
    "es": (" en grados {v}",),
}
SINGLE_NOUNS: dict[str, tuple[str, ...]] = {
    "weather": ("weather", "forecast", "weather_forecast", "temperature", "current_weather",
                "meteo", "clima"),
    "time": ("local_time", "time", "current_time", "clock", "time_in_city", "heure", "hora"),
    "hotel": ("hotels", "hotel", "rooms", "accommodation", "hotel_rooms", "hotel_list"),
    "restaurant": ("restaurants", "restaurant", "places_to_eat", "food", "dinner_places"),
    "population": ("population", "inhabitants", "city_population", "population_count"),
    "museum": ("museums", "museum_list", "museum", "exhibitions", "city_museums"),
}  # fmt: skip
SINGLE_DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "weather": ("Returns the weather in a city", "Get the current weather for a location.",
                "Weather forecast for a place.", "Tells how warm it is and whether it rains.",
                "Donne la météo d'une ville.", "Devuelve el tiempo en una ciudad."),
    "time": ("Returns the local time in a city", "Get the current time at a place.",
             "Tells what time it is in a town.", "Donne l'heure locale d'une ville."),
    "hotel": ("Searches hotels in a city", "Find a room for the night.",
              "Lists hotels with their prices.", "Cherche un hôtel dans une ville."),
    "restaurant": ("Finds restaurants in a city", "List places to eat in a town.",
                   "Search restaurants near a place."),
    "population": ("Returns the number of inhabitants of a city", "How many people live in a place",
                   "Get the population of a town."),
    "museum": ("Lists the museums of a city", "Find museums and exhibitions in a place.",
               "Returns museums to visit in a town."),
}  # fmt: skip
PLACE_PARAMETERS: tuple[str, ...] = (
    "city", "location", "place", "town", "city_name", "cityName", "where", "ville", "ciudad",
    "loc", "area", "place_name", "locationName", "target_city", "q", "query", "destination",
    "in_city", "municipality", "lieu", "lugar",
)  # fmt: skip
PLACE_TEXTS: tuple[str, ...] = (
    "The name of the city", "City name", "The place to look at", "Name of the town", "The location",
    "Which city to look up", "The city the user asks about", "Nom de la ville",
    "Nombre de la ciudad",
)  # fmt: skip
SINGLE_QUESTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "weather": {
        "en": (
            "What is the weather in {A}?",
            "What's the weather like in {A}?",
            "How is the weather in {A}?",
            "Is it raining in {A}?",
            "How warm is it in {A}?",
            "How cold is it in {A}?",
            "Will it be sunny in {A}?",
            "Do I need an umbrella in {A}?",
            "Give me the forecast for {A}.",
            "Tell me the temperature in {A}.",
            "Weather in {A}",
            "Should I take a coat to {A}?",
            "{A} weather",
            "Does it snow in {A}?",
        ),
        "fr": (
            "Quel temps fait-il à {A} ?",
            "Est-ce qu'il pleut à {A} ?",
            "Quelle est la température à {A} ?",
            "Donne-moi la météo pour {A}.",
        ),
        "es": (
            "¿Qué tiempo hace en {A}?",
            "¿Llueve en {A}?",
            "¿Cuál es la temperatura en {A}?",
            "Dime el tiempo en {A}.",
        ),
        "ja": (
            "{A}の天気はどうですか？",
            "{A}の天気を教えてください。",
            "{A}は今何度ですか？",
            "{A}は雨ですか？",
        ),
    },
    "time": {
        "en": (
            "What time is it in {A}?",
            "What is the local time in {A}?",
            "Tell me the time in {A}.",
            "Which time do the clocks in {A} show?",
            "How late is it in {A} now?",
            "Current time in {A}",
            "Is it already morning in {A}?",
            "Can you tell me what time it is in {A}?",
            "Time in {A} now?",
        ),
        "fr": (
            "Quelle heure est-il à {A} ?",
            "Dis-moi l'heure à {A}.",
            "Il est quelle heure à {A} ?",
        ),
        "es": ("¿Qué hora es en {A}?", "Dime la hora en {A}.", "¿Qué hora tienen en {A}?"),
        "ja": ("{A}は今何時ですか？", "{A}の時刻を教えてください。"),
    },
    "hotel": {
        "en": (
            "Find a hotel in {A}.",
            "I need a room in {A}.",
            "Where can I sleep in {A}?",
            "Is there a good hotel in {A}?",
            "Show me hotels in {A}.",
            "I am looking for a hotel in {A}.",
            "Which hotels are there in {A}?",
            "I'd like to stay in {A}.",
            "Hotels in {A}",
        ),
        "fr": (
            "Je cherche un hôtel à {A}.",
            "Trouve une chambre à {A}.",
            "Quels hôtels y a-t-il à {A} ?",
        ),
        "es": (
            "Busco un hotel en {A}.",
            "Necesito una habitación en {A}.",
            "¿Qué hoteles hay en {A}?",
        ),
        "ja": ("{A}のホテルを探してください。", "{A}に泊まりたいです。"),
    },
    "restaurant": {
        "en": (
            "Where can I eat in {A}?",
            "Find a restaurant in {A}.",
            "Which restaurants are good in {A}?",
            "I am hungry and I am in {A}.",
            "Show me places to eat in {A}.",
            "Is there a nice place for dinner in {A}?",
            "I'd like to have lunch in {A}.",
            "Restaurants in {A}",
        ),
        "fr": (
            "Où peut-on manger à {A} ?",
            "Trouve un restaurant à {A}.",
            "Je cherche un restaurant à {A}.",
        ),
        "es": (
            "¿Dónde puedo comer en {A}?",
            "Busca un restaurante en {A}.",
            "Quiero cenar en {A}.",
        ),
        "ja": ("{A}のレストランを教えてください。", "{A}で食事ができる店はありますか？"),
    },
    "population": {
        "en": (
            "How many people live in {A}?",
            "What is the population of {A}?",
            "How big is the population of {A}?",
            "How many inhabitants does {A} have?",
            "Tell me the number of inhabitants of {A}.",
            "Population of {A}",
            "Do many people live in {A}?",
            "Look up how many people live in {A}.",
        ),
        "fr": ("Combien de personnes vivent à {A} ?", "Combien y a-t-il d'habitants à {A} ?"),
        "es": ("¿Cuántas personas viven en {A}?", "¿Cuántos habitantes tiene {A}?"),
        "ja": ("{A}の人口は何人ですか？", "{A}には何人住んでいますか？"),
    },
    "museum": {
        "en": (
            "Which museums are there in {A}?",
            "I want to visit a museum in {A}.",
            "Show me the museums of {A}.",
            "Is there an art museum in {A}?",
            "List the museums in {A}.",
            "What exhibitions can I see in {A}?",
            "Find a museum in {A}.",
            "Museums in {A}",
        ),
        "fr": ("Quels musées y a-t-il à {A} ?", "Je veux visiter un musée à {A}."),
        "es": ("¿Qué museos hay en {A}?", "Quiero visitar un museo en {A}."),
        "ja": ("{A}にはどんな美術館がありますか？", "{A}の博物館を教えてください。"),
    },
}
CONVERT_QUESTIONS: tuple[str, ...] = (
    "Convert {v} {F} to {T}.", "How much is {v} {F} in {T}?", "How many {T} do I get for {v} {F}?",
    "What are {v} {F} worth in {T}?", "Change {v} {F} into {T}.", "{v} {F} in {T}",
    "I have {v} {F} and need {T}. How much is that?", "Combien font {v} {F} en {T} ?",
    "¿Cuánto son {v} {F} en {T}?", "I want to exchange {v} {F} for {T}.",
)  # fmt: skip
CURRENCIES: tuple[str, ...] = (
    "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "SEK", "NOK", "BRL", "MXN", "INR", "KRW",
    "ZAR", "PLN", "CZK", "euros", "dollars", "pounds", "yen", "francs", "pesos", "rupees",
)  # fmt: skip
REMINDER_QUESTIONS: tuple[str, ...] = (
    "Remind me to {s} at {t}.", "Set a reminder to {s} at {t}.", "At {t}, remind me to {s}.",
    "Please remind me at {t} to {s}.", "I must not forget to {s} at {t}. Remind me.",
    "Can you remind me to {s} at {t}?", "Reminder at {t}: {s}", "Make a reminder for {t}: {s}.",
    "I want to be reminded at {t} to {s}.",
)  # fmt: skip
TASK_VERBS: tuple[str, ...] = (
    "buy", "clean", "water", "call", "pack", "feed", "check", "bring", "print", "wash", "fetch",
    "send", "repair", "order", "open",
)  # fmt: skip
TASK_OBJECTS: tuple[str, ...] = (
    "the bread", "the plants", "the dentist", "my bag", "the cat", "the oven", "the tickets",
    "the letter", "the car", "the parcel", "the report", "the bike", "the flowers", "the window",
    "the bakery", "the garden", "two lemons",
)  # fmt: skip
STOCK_QUESTIONS: tuple[str, ...] = (
    "What is the price of {S} stock?", "How is {S} doing on the stock market?",
    "Give me the stock price of {S}.", "What does a share of {S} cost?", "Stock price of {S}",
    "How much is {S} trading at?", "Look up the share price of {S}.", "Quel est le cours de {S} ?",
    "¿Cuál es el precio de la acción {S}?",
)  # fmt: skip
SYSTEMS: tuple[str, ...] = (
    "You are a helpful assistant.",
    "You are a travel assistant.",
    "You help people to plan their trips.",
    "You are an assistant with access to tools. Use them when they help.",
    "Use the tools to answer questions about travel.",
    "You are a friendly guide for travellers. Answer briefly.",
    "Call a function when the question needs it; otherwise answer directly.",
    "You help users to find the best way to travel, and you care about nature.",
    "Answer in one sentence.",
    "You work at the information desk of a travel agency.",
    "Tu es un assistant de voyage.",
    "Tu aides les voyageurs et tu réponds brièvement.",
    "Eres un asistente de viajes.",
    "Ayudas a los viajeros con respuestas breves.",
    "あなたは旅行のアシスタントです。",
    "Be short and polite.",
    "You are a careful assistant. Never guess a time or a price; look it up.",
)
REFERENCE_SYSTEM = (
    "You are a helpful assistant that help users to find information about traveling, how to get "
    "to places and the different transportations options. You care about the environment and you "
    "always have that in mind when answering inqueries."
)
REFERENCE_DESCRIPTION = (
    "Returns information about the next flight between two cities. This includes the name of the "
    "airline, flight number and the date and time of the next flight"
)
SMALL_TALK: tuple[tuple[str, str], ...] = (
    ("Hello!", "Hello! How can I help you?"),
    ("Hi", "Hello! How can I help you?"),
    ("Good morning!", "Good morning! How can I help you?"),
    ("Good evening.", "Good evening! How can I help you?"),
    ("Thank you!", "You're welcome!"),
    ("Thanks a lot.", "You're welcome!"),
    ("That is all, thank you.", "You're welcome!"),
    ("Goodbye!", "Goodbye!"),
    ("Bye, see you later.", "Goodbye!"),
    ("How are you?", "I am fine, thank you. How can I help you?"),
    ("What can you do?", "I can answer questions and use the tools I am given."),
    ("Can you help me?", "Yes, of course. What do you want to know?"),
    ("I have a question.", "Please ask, I will do my best."),
    ("Bonjour !", "Bonjour ! Comment puis-je vous aider ?"),
    ("Merci beaucoup !", "Avec plaisir !"),
    ("Au revoir !", "Au revoir !"),
    ("¡Hola!", "¡Hola! ¿Cómo puedo ayudarle?"),
    ("¡Muchas gracias!", "¡De nada!"),
    ("Adiós.", "¡Adiós!"),
    ("こんにちは", "こんにちは！何かお手伝いできますか？"),
    ("ありがとうございます", "どういたしまして。"),
)
CANNOT: dict[str, str] = {
    "en": "I'm sorry, I cannot look that up with the tools I have.",
    "fr": "Désolé, je ne peux pas le chercher avec mes outils.",
    "es": "Lo siento, no puedo buscarlo con mis herramientas.",
    "ja": "申し訳ありませんが、それは調べられません。",
}
UNCLEAR: tuple[tuple[str, str], ...] = (
    ("I need a {n} to {B}.", "Which city do you leave from?"),
    ("Find me a {n} to {B}.", "Which city do you leave from?"),
    ("When is the next {n} to {B}?", "Which city do you leave from?"),
    ("Is there a {n} to {B}?", "Which city do you leave from?"),
    ("I want to go to {B} by {n}.", "Which city do you leave from?"),
    ("I need a {n} from {B}.", "Which city do you want to go to?"),
    ("Is there a {n} from {B}?", "Which city do you want to go to?"),
    ("When does the next {n} leave {B}?", "Which city do you want to go to?"),
    ("I am in {B} and need a {n}.", "Which city do you want to go to?"),
    ("I need a {n}.", "From which city to which city?"),
    ("Find me a {n}.", "From which city to which city?"),
    ("Can you look for a {n}?", "From which city to which city?"),
    ("I want to travel by {n}.", "From which city to which city?"),
)
TRAVEL_FACTS: tuple[tuple[str, str, str], ...] = (
    ("What is a boarding pass?", "A boarding pass lets you enter the plane.", "plane"),
    ("What is a timetable?", "A timetable shows when trains and buses leave.", "leave"),
    ("What does a pilot do?", "A pilot flies a plane.", "flies"),
    ("What is an airport?", "An airport is a place where planes take off and land.", "planes"),
    ("What is a ferry?", "A ferry is a ship that carries people and cars.", "ship"),
    ("What is a passport?", "A passport shows who you are when you cross a border.", "border"),
    ("What is a suitcase?", "A suitcase is a case for the clothes you travel with.", "clothes"),
    ("Is a train better for the climate than a plane?", "Yes, a train emits far less CO2.", "yes"),
    ("What is a return ticket?", "A return ticket is valid for the way there and back.", "back"),
    ("What is a platform at a station?", "A platform is where you board a train.", "train"),
    ("How many wheels does a bus have?", "Most buses have six wheels.", "six"),
    ("What is a harbour?", "A harbour is a place where ships are safe.", "ships"),
    ("What is a hotel?", "A hotel is a house where travellers pay to sleep.", "sleep"),
    ("What is jet lag?", "Jet lag is being tired after a flight across time zones.", "tired"),
    ("What is a thermometer?", "A thermometer measures the temperature.", "temperature"),
    ("What is a museum?", "A museum shows things of art, history or science.", "art"),
    ("What is rain?", "Rain is water that falls from clouds.", "water"),
    ("What is a taxi?", "A taxi is a car with a driver you pay for a ride.", "driver"),
    ("Qu'est-ce qu'un aéroport ?", "Un aéroport est un lieu où les avions décollent.", "avions"),
    (
        "Qu'est-ce qu'un passeport ?",
        "Un passeport montre qui vous êtes à la frontière.",
        "frontière",
    ),
    ("¿Qué es un aeropuerto?", "Un aeropuerto es un lugar donde despegan aviones.", "aviones"),
    ("¿Qué es un barco?", "Un barco es un vehículo que navega por el agua.", "agua"),
)
