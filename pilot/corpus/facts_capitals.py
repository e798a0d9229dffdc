"""Countries and their capitals in four languages.

A row: key, then country and capital in English, French, Spanish and Japanese. French countries
carry their article, the few English and Spanish ones that need an article carry it too.
"""

# ruff: noqa: RUF001

Row = tuple[str, str, str, str, str, str, str, str, str]

CAPITALS: tuple[Row, ...] = tuple(
    tuple(cell.strip() for cell in line.split(";"))  # type: ignore[misc]
    for line in """\
france;France;Paris;la France;Paris;Francia;París;フランス;パリ
italy;Italy;Rome;l'Italie;Rome;Italia;Roma;イタリア;ローマ
spain;Spain;Madrid;l'Espagne;Madrid;España;Madrid;スペイン;マドリード
germany;Germany;Berlin;l'Allemagne;Berlin;Alemania;Berlín;ドイツ;ベルリン
japan;Japan;Tokyo;le Japon;Tokyo;Japón;Tokio;日本;東京
china;China;Beijing;la Chine;Pékin;China;Pekín;中国;北京
portugal;Portugal;Lisbon;le Portugal;Lisbonne;Portugal;Lisboa;ポルトガル;リスボン
greece;Greece;Athens;la Grèce;Athènes;Grecia;Atenas;ギリシャ;アテネ
austria;Austria;Vienna;l'Autriche;Vienne;Austria;Viena;オーストリア;ウィーン
belgium;Belgium;Brussels;la Belgique;Bruxelles;Bélgica;Bruselas;ベルギー;ブリュッセル
netherlands;the Netherlands;Amsterdam;les Pays-Bas;Amsterdam;los Países Bajos;Ámsterdam;\
オランダ;アムステルダム
switzerland;Switzerland;Bern;la Suisse;Berne;Suiza;Berna;スイス;ベルン
sweden;Sweden;Stockholm;la Suède;Stockholm;Suecia;Estocolmo;スウェーデン;ストックホルム
norway;Norway;Oslo;la Norvège;Oslo;Noruega;Oslo;ノルウェー;オスロ
denmark;Denmark;Copenhagen;le Danemark;Copenhague;Dinamarca;Copenhague;デンマーク;コペンハーゲン
finland;Finland;Helsinki;la Finlande;Helsinki;Finlandia;Helsinki;フィンランド;ヘルシンキ
iceland;Iceland;Reykjavik;l'Islande;Reykjavik;Islandia;Reikiavik;アイスランド;レイキャビク
ireland;Ireland;Dublin;l'Irlande;Dublin;Irlanda;Dublín;アイルランド;ダブリン
uk;the United Kingdom;London;le Royaume-Uni;Londres;el Reino Unido;Londres;イギリス;ロンドン
poland;Poland;Warsaw;la Pologne;Varsovie;Polonia;Varsovia;ポーランド;ワルシャワ
czechia;Czechia;Prague;la Tchéquie;Prague;Chequia;Praga;チェコ;プラハ
hungary;Hungary;Budapest;la Hongrie;Budapest;Hungría;Budapest;ハンガリー;ブダペスト
romania;Romania;Bucharest;la Roumanie;Bucarest;Rumanía;Bucarest;ルーマニア;ブカレスト
bulgaria;Bulgaria;Sofia;la Bulgarie;Sofia;Bulgaria;Sofía;ブルガリア;ソフィア
croatia;Croatia;Zagreb;la Croatie;Zagreb;Croacia;Zagreb;クロアチア;ザグレブ
ukraine;Ukraine;Kyiv;l'Ukraine;Kyiv;Ucrania;Kiev;ウクライナ;キーウ
russia;Russia;Moscow;la Russie;Moscou;Rusia;Moscú;ロシア;モスクワ
turkey;Turkey;Ankara;la Turquie;Ankara;Turquía;Ankara;トルコ;アンカラ
egypt;Egypt;Cairo;l'Égypte;Le Caire;Egipto;El Cairo;エジプト;カイロ
morocco;Morocco;Rabat;le Maroc;Rabat;Marruecos;Rabat;モロッコ;ラバト
kenya;Kenya;Nairobi;le Kenya;Nairobi;Kenia;Nairobi;ケニア;ナイロビ
senegal;Senegal;Dakar;le Sénégal;Dakar;Senegal;Dakar;セネガル;ダカール
india;India;New Delhi;l'Inde;New Delhi;la India;Nueva Delhi;インド;ニューデリー
thailand;Thailand;Bangkok;la Thaïlande;Bangkok;Tailandia;Bangkok;タイ;バンコク
vietnam;Vietnam;Hanoi;le Vietnam;Hanoï;Vietnam;Hanói;ベトナム;ハノイ
korea;South Korea;Seoul;la Corée du Sud;Séoul;Corea del Sur;Seúl;韓国;ソウル
australia;Australia;Canberra;l'Australie;Canberra;Australia;Canberra;オーストラリア;キャンベラ
newzealand;New Zealand;Wellington;la Nouvelle-Zélande;Wellington;Nueva Zelanda;Wellington;\
ニュージーランド;ウェリントン
usa;the United States;Washington;les États-Unis;Washington;los Estados Unidos;Washington;\
アメリカ;ワシントン
canada;Canada;Ottawa;le Canada;Ottawa;Canadá;Ottawa;カナダ;オタワ
mexico;Mexico;Mexico City;le Mexique;Mexico;México;Ciudad de México;メキシコ;メキシコシティ
brazil;Brazil;Brasília;le Brésil;Brasilia;Brasil;Brasilia;ブラジル;ブラジリア
argentina;Argentina;Buenos Aires;l'Argentine;Buenos Aires;Argentina;Buenos Aires;\
アルゼンチン;ブエノスアイレス
chile;Chile;Santiago;le Chili;Santiago;Chile;Santiago;チリ;サンティアゴ
peru;Peru;Lima;le Pérou;Lima;Perú;Lima;ペルー;リマ
colombia;Colombia;Bogotá;la Colombie;Bogota;Colombia;Bogotá;コロンビア;ボゴタ
cuba;Cuba;Havana;Cuba;La Havane;Cuba;La Habana;キューバ;ハバナ
""".splitlines()
)

COLUMNS = {"en": 1, "fr": 3, "es": 5, "ja": 7}

CORES: dict[str, tuple[str, ...]] = {
    "en": (
        "What is the capital of {of}?",
        "^what the capital of {of} is",
        "What's the capital of {of}?",
        "Which city is the capital of {of}?",
        "~which city is the capital of {of}",
        "What is the capital city of {of}?",
        "Tell me the capital of {of}.",
        "Name the capital of {of}.",
        "Give me the name of the capital of {of}.",
        "The capital of {of}?",
        "What is {of}'s capital?",
        "{Of}: what is the capital?",
        "The capital of {of} is which city?",
        "What city is the capital of {of}?",
        "What do you call the capital of {of}?",
    ),
    "fr": (
        "~quelle est la capitale {of}",
        "~quelle ville est la capitale {of}",
        "~comment s'appelle la capitale {of}",
        "La capitale {of}, c'est quoi ?",
        "Donne-moi le nom de la capitale {of}.",
        "La capitale {of} ?",
        "Donne-moi la capitale {of}.",
        "Nomme la capitale {of}.",
        "C'est quoi, la capitale {of} ?",
        "Quel est le nom de la capitale {of} ?",
    ),
    "es": (
        "~cuál es la capital {of}",
        "~qué ciudad es la capital {of}",
        "~cómo se llama la capital {of}",
        "Dime la capital {of}.",
        "¿La capital {of}?",
        "Dime el nombre de la capital {of}.",
        "Nombra la capital {of}.",
        "La capital {of}, ¿cuál es?",
        "¿Cuál es el nombre de la capital {of}?",
    ),
    "ja": (
        "{of}の首都はどこですか？",
        "^{of}の首都を",
        "{of}の首都は？",
        "{of}の首都はどこ？",
        "{of}の首都の名前は何ですか？",
        "{of}の首都は何という都市ですか？",
    ),
}

ANSWERS = {
    "en": "The capital of {of} is {city}.",
    "fr": "La capitale {of} est {city}.",
    "es": "La capital {of} es {city}.",
    "ja": "{of}の首都は{city}です。",
}


def of_french(country: str) -> str:
    """The country after French "de": "la France" is "de la France", "le Japon" is "du Japon"."""
    if country.startswith("le "):
        return "du " + country[3:]
    if country.startswith("les "):
        return "des " + country[4:]
    return "de " + country


def of_spanish(country: str) -> str:
    """The country after Spanish "de": "el Reino Unido" is "del Reino Unido"."""
    return "del " + country[3:] if country.startswith("el ") else "de " + country


def country_of(row: Row, language: str) -> str:
    """The country's name, with its article where it has one."""
    return row[COLUMNS[language]]


def capital_of(row: Row, language: str) -> str:
    """The capital's name."""
    return row[COLUMNS[language] + 1]


def place_forms(row: Row, language: str) -> dict[str, str]:
    """What the wordings fill in: `of`, and `Of` with a capital letter."""
    country = country_of(row, language)
    of = {"fr": of_french, "es": of_spanish}.get(language, str)(country)
    return {"of": of, "Of": of[:1].upper() + of[1:]}


def answer_of(row: Row, language: str) -> str:
    """The fixed answer."""
    forms = place_forms(row, language)
    return ANSWERS[language].format(city=capital_of(row, language), **forms)
