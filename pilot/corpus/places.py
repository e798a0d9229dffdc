"""Names of places: real cities, and invented ones so that a model learns to copy a name it never
saw instead of remembering the ones it did.

A stable hash of the name decides its split, so the two splits stay disjoint however the lists
grow: about 15 % of the real cities and 20 % of the invented names are held out.
"""
# ruff: noqa: SIM905

import random
import zlib
from collections.abc import Callable, Sequence

from pilot.conversation import Split

REAL_HELD_OUT_PERCENT = 15
INVENTED_HELD_OUT_PERCENT = 20
REAL_SHARE = 0.6

REAL_CITIES: tuple[str, ...] = tuple(
    """
    Aarhus|Abidjan|Abu Dhabi|Accra|Addis Ababa|Adelaide|Agadir|Aix-en-Provence|Albuquerque
    Alexandria|Algiers|Alicante|Almaty|Amman|Amsterdam|Anchorage|Ankara|Antalya|Antananarivo
    Antwerp|Arequipa|Asunción|Athens|Atlanta|Auckland|Austin|Avignon|Bali|Baku|Baltimore|Bamako
    Bangkok|Barcelona|Bari|Basel|Beijing|Beirut|Belfast|Belgrade|Belo Horizonte|Bergen|Berlin
    Bern|Biarritz|Bilbao|Birmingham|Bogotá|Bologna|Bonn|Bordeaux|Boston|Brasília|Bratislava
    Bremen|Brest|Brighton|Brisbane|Bristol|Bruges|Brussels|Bucharest|Budapest|Buenos Aires
    Buffalo|Busan|Cádiz|Cagliari|Cairo|Calgary|Cali|Cambridge|Canberra|Cancún|Cape Town|Caracas
    Cardiff|Cartagena|Casablanca|Catania|Charleston|Charlotte|Chengdu|Chennai|Chiang Mai|Chicago
    Christchurch|Cincinnati|Cleveland|Clermont-Ferrand|Cologne|Colombo|Columbus|Copenhagen
    Córdoba|Cork|Cusco|Dakar|Dallas|Da Nang|Darwin|Delhi|Denver|Detroit|Dhaka|Dijon|Djibouti
    Doha|Dortmund|Dresden|Dubai|Dublin|Dubrovnik|Dunedin|Durban|Düsseldorf|Edinburgh|Edmonton
    Eindhoven|Essen|Faro|Fez|Florence|Fort Worth|Fortaleza|Frankfurt|Freetown|Fukuoka|Funchal
    Galway|Gdańsk|Geneva|Genoa|Ghent|Gijón|Girona|Glasgow|Gothenburg|Granada|Graz|Grenoble
    Guadalajara|Guangzhou|Guatemala City|Guayaquil|Halifax|Hamburg|Hangzhou|Hanoi|Hanover|Harare
    Havana|Heidelberg|Helsinki|Hiroshima|Ho Chi Minh City|Hobart|Hong Kong|Honolulu|Houston
    Hyderabad|Ibiza|Indianapolis|Innsbruck|Istanbul|Izmir|Jacksonville|Jaipur|Jakarta|Jerusalem
    Johannesburg|Kampala|Kansas City|Karachi|Kathmandu|Kaunas|Khartoum|Kigali|Kingston|Kinshasa
    Košice|Kraków|Kuala Lumpur|Kuwait City|Kyiv|Kyoto|La Paz|La Rochelle|Lagos|Lahore|Las Palmas
    Las Vegas|Lausanne|Leeds|Leipzig|León|Libreville|Liège|Lille|Lima|Limoges|Linz|Lisbon
    Liverpool|Ljubljana|Lomé|London|Los Angeles|Louisville|Luanda|Lübeck|Lucerne|Lusaka
    Luxembourg|Lviv|Lyon|Macau|Madrid|Málaga|Malmö|Managua|Manaus|Manchester|Manila|Maputo
    Marrakech|Marseille|Medellín|Melbourne|Memphis|Mendoza|Mérida|Mexico City|Miami|Milan
    Milwaukee|Minneapolis|Mombasa|Monaco|Monterrey|Montevideo|Montpellier|Montréal|Mulhouse
    Mumbai|Munich|Murcia|Muscat|Nagasaki|Nagoya|Nairobi|Nancy|Nantes|Naples|Nashville|Nassau
    N'Djamena|New Delhi|New Orleans|New York|Newcastle|Niamey|Nice|Nîmes|Nottingham|Nouméa
    Nuremberg|Oakland|Oaxaca|Odesa|Oklahoma City|Omaha|Oporto|Oran|Orlando|Orléans|Osaka|Oslo
    Ottawa|Oulu|Oviedo|Oxford|Palermo|Palma|Pamplona|Panama City|Paris|Perpignan|Perth|Perugia
    Philadelphia|Phnom Penh|Phoenix|Pisa|Pittsburgh|Ponta Delgada|Port-au-Prince|Port Louis
    Portland|Porto|Porto Alegre|Poznań|Prague|Praia|Pretoria|Pune|Punta Arenas|Quebec City
    Quimper|Quito|Rabat|Raleigh|Recife|Reims|Rennes|Reykjavík|Riga|Rijeka|Rio de Janeiro|Riyadh
    Rome|Rosario|Rotterdam|Rouen|Sacramento|Saint-Étienne|Saint-Malo|Salamanca|Salt Lake City
    Salvador|Salzburg|San Antonio|San Diego|San Francisco|San José|San Juan|San Salvador
    San Sebastián|Santa Cruz|Santa Fe|Santander|Santiago|Santo Domingo|São Paulo|Sapporo
    Sarajevo|Savannah|Seattle|Sendai|Seoul|Seville|Shanghai|Sheffield|Shenzhen|Singapore|Skopje
    Sofia|Southampton|Split|St. Louis|St. Gallen|St. John's|Stavanger|Stockholm|Strasbourg
    Stuttgart|Sucre|Surabaya|Sydney|Taipei|Tallinn|Tampa|Tampere|Tangier|Tartu|Tashkent|Tbilisi
    Tegucigalpa|Thessaloniki|Tijuana|Tirana|Tokyo|Toledo|Toronto|Toulon|Toulouse|Tours|Trieste
    Tripoli|Tromsø|Trondheim|Tucson|Tunis|Turin|Turku|Ulaanbaatar|Uppsala|Utrecht|Valencia
    Valladolid|Valletta|Valparaíso|Vancouver|Venice|Verona|Victoria|Vienna|Vientiane|Vigo
    Vilnius|Vitoria-Gasteiz|Warsaw|Washington|Wellington|Windhoek|Winnipeg|Wrocław|Wuhan|Xi'an
    Yangon|Yaoundé|Yerevan|Yokohama|York|Zagreb|Zanzibar|Zaragoza|Zürich|Île-Rousse|Évora|Ávila
    """.replace("\n", "|").split("|")
)
JAPANESE_CITIES: tuple[str, ...] = tuple(
    """
    東京 大阪 京都 名古屋 札幌 福岡 仙台 広島 神戸 横浜 長崎
    金沢 新潟 静岡 岡山 熊本 鹿児島 那覇 奈良
    松山 高松 青森 秋田 盛岡 長野 富山 宮崎 大分 高知
    函館 パリ ロンドン ニューヨーク ソウル 北京 上海
    ローマ ベルリン マドリード シドニー バンコク ハノイ リスボン ウィーン プラハ オスロ カイロ リマ
    """.split()
)
KANA = tuple("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロワ")

ONSETS: tuple[str, ...] = (
    *"b c d f g h j k l m n p q r s t v w x y z br bl cr cl dr fl fr gr gl kr pl pr tr str sk sl "
    "sm sn sp st sv sh ch th kh wh ts zh gh ny kn vl".split(),
    *("", "", ""),
)
VOWELS: tuple[str, ...] = tuple(
    "a e i o u a e i o u a e i o u ai au ea ei ie io oa oo ou ue y é è á í ó ú ü ö ä å ø ã".split()
)
CODAS: tuple[str, ...] = (
    tuple("n r l s t m k d g x z nd rt lm st ck rn ng lt sh th rk ns ll ss nt mp".split())
    + ("",) * 24
)
PLAIN_ONSETS: tuple[str, ...] = (*"bcdfghjklmnprstvz", "br", "tr", "gr", "st", "ch", "sh", "")
PLAIN_VOWELS: tuple[str, ...] = tuple("aeiou")
PLAIN_CODAS: tuple[str, ...] = ("n", "r", "l", "s", "m", "t", *("",) * 8)
PLAIN_SHARE = 0.65
ENDINGS: tuple[str, ...] = tuple(
    "ville burg ton stad ford berg mouth field ham by haven port grad ia ana ona opolis wick "
    "shire bury vik heim dorf bridge dale pur abad ito ares eira ac euil ino etti ów sk".split()
)
FIRST_WORDS: tuple[str, ...] = tuple(
    "San|Santa|Port|New|Fort|Saint|Mount|Lake|Villa|Puerto|Nova|Bad|Old|North|South|East|West|"
    "Upper|Lower|Great|Los|Las|La|Costa|Monte|Ciudad|Cape|St.|Grand|Little".split("|")
)
LAST_WORDS: tuple[str, ...] = tuple(
    "City|Bay|Springs|Falls|Beach|Harbour|Hills|Town|Valley|Point|Island|Park|Heights|Cross".split(
        "|"
    )
)
LINKS: tuple[str, ...] = ("de", "del", "da", "am", "on", "sur", "upon", "do")


def is_held_out(key: str, percent: int) -> bool:
    """Whether `key` belongs to the held-out `percent` of all keys; the same in every run."""
    return zlib.crc32(key.casefold().encode()) % 1000 < percent * 10


def of_split(items: Sequence[str], split: Split, percent: int) -> tuple[str, ...]:
    """The items of one split."""
    return tuple(x for x in items if is_held_out(x, percent) == (split == "heldout"))


def draw_in_split(
    make: Callable[[random.Random], str], split: Split, rng: random.Random, percent: int
) -> str:
    """Draw from `make` until the hash of what it gives falls into `split`."""
    while True:
        made = make(rng)
        if is_held_out(made, percent) == (split == "heldout"):
            return made


CITY_NAMES: tuple[str, ...] = tuple(dict.fromkeys(x.strip() for x in REAL_CITIES if x.strip()))
REAL: dict[Split, tuple[str, ...]] = {
    "train": of_split(CITY_NAMES, "train", REAL_HELD_OUT_PERCENT),
    "heldout": of_split(CITY_NAMES, "heldout", REAL_HELD_OUT_PERCENT),
}
REAL_JAPANESE: dict[Split, tuple[str, ...]] = {
    "train": of_split(JAPANESE_CITIES, "train", REAL_HELD_OUT_PERCENT),
    "heldout": of_split(JAPANESE_CITIES, "heldout", REAL_HELD_OUT_PERCENT),
}
_REAL_FOLDED = frozenset(x.casefold() for x in (*CITY_NAMES, *JAPANESE_CITIES))


def syllable(rng: random.Random, plain: bool) -> str:
    """One syllable: an onset, a vowel, and at times a coda."""
    if plain:
        return rng.choice(PLAIN_ONSETS) + rng.choice(PLAIN_VOWELS) + rng.choice(PLAIN_CODAS)
    return rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)


def word(rng: random.Random) -> str:
    """One invented lower-case word of one to four syllables."""
    count = rng.choice((1, 2, 2, 2, 3, 3, 4))
    plain = rng.random() < PLAIN_SHARE
    body = "".join(syllable(rng, plain) for _ in range(count))
    if rng.random() < 0.3:
        body += rng.choice(ENDINGS)
    return body if len(body) > 2 else body + rng.choice(ENDINGS)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _invented(rng: random.Random) -> str:
    name = _capital(word(rng))
    shape = rng.random()
    if shape < 0.74:
        return name
    if shape < 0.82:
        return f"{rng.choice(FIRST_WORDS)} {name}"
    if shape < 0.88:
        return f"{name} {rng.choice(LAST_WORDS)}"
    if shape < 0.94:
        return f"{name} {_capital(word(rng))}"
    if shape < 0.97:
        return f"{name}-{_capital(word(rng))}"
    if shape < 0.98:
        return f"{name} {rng.choice(LINKS)} {_capital(word(rng))}"
    return f"{rng.choice(('L', 'D', 'N', 'O'))}'{name}"


def _invented_japanese(rng: random.Random) -> str:
    return "".join(rng.choices(KANA, k=rng.randint(2, 5)))


def invented_city(split: Split, rng: random.Random) -> str:
    """An invented name of one to three words."""
    while True:
        name = draw_in_split(_invented, split, rng, INVENTED_HELD_OUT_PERCENT)
        if name.casefold() not in _REAL_FOLDED and len(name) <= 24:
            return name


def city(split: Split, rng: random.Random) -> str:
    """A place of `split`: a real city or an invented one."""
    if rng.random() < REAL_SHARE:
        return rng.choice(REAL[split])
    return invented_city(split, rng)


def japanese_city(split: Split, rng: random.Random) -> str:
    """A place as written in Japanese, real or invented (in kana)."""
    if rng.random() < REAL_SHARE:
        return rng.choice(REAL_JAPANESE[split])
    while True:
        name = draw_in_split(_invented_japanese, split, rng, INVENTED_HELD_OUT_PERCENT)
        if name not in _REAL_FOLDED:
            return name


def is_training_city(name: str) -> bool:
    """Whether training may produce this name."""
    percent = (
        REAL_HELD_OUT_PERCENT if name.casefold() in _REAL_FOLDED else INVENTED_HELD_OUT_PERCENT
    )
    return not is_held_out(name, percent)


def city_pair(split: Split, rng: random.Random, japanese: bool = False) -> tuple[str, str]:
    """Two different places of `split`, neither of which stands inside the other."""
    draw = japanese_city if japanese else city
    while True:
        first, second = draw(split, rng), draw(split, rng)
        low_first, low_second = first.casefold(), second.casefold()
        if low_first not in low_second and low_second not in low_first:
            return first, second
