/*
 * The words and places that the music shop's names are made of. All of it is invented: cities that
 * are on no map, telephone numbers and mail domains that are reserved for examples.
 */
#ifndef TOOLS_MUSICSHOP_WORDS_H
#define TOOLS_MUSICSHOP_WORDS_H

#include <stddef.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const char *const adjectives[] = {
    "Velvet", "Silent",   "Crooked", "Electric",  "Amber",     "Hollow",  "Golden",   "Midnight",
    "Paper",  "Distant",  "Broken",  "Scarlet",   "Slow",      "Wooden",  "Northern", "Foggy",
    "Gentle", "Restless", "Pale",    "Rusty",     "Invisible", "Crystal", "Lazy",     "Burning",
    "Secret", "Salty",    "Ancient", "Wandering", "Frozen",    "Blue",    "Violet",   "Thirteen",
    "Élan",   "Naïve",    "Señor",   "Düster",    "Ægir's",    "Łagodny", "Синий",    "静かな",
};

static const char *const nouns[] = {
    "Otters",    "Lanterns", "Harbour",    "Satellites", "Orchard",   "Engines",  "Foxes",
    "Cathedral", "Rivers",   "Pilots",     "Umbrellas",  "Mirrors",   "Thunder",  "Gardens",
    "Comets",    "Trains",   "Islands",    "Machines",   "Shepherds", "Wolves",   "Telegraph",
    "Carnival",  "Meadow",   "Lighthouse", "Sparrows",   "Avenue",    "Compass",  "Windmills",
    "Volcano",   "Snowfall", "Postcards",  "Rain",       "Glaciers",  "Pendulum", "Marionettes",
    "Tramway",   "Bicycles", "Moon",       "Flamenco",   "Brücke",    "Corazón",  "Forêt",
};

static const char *const verbs[] = {
    "Chasing", "Leaving", "Painting", "Counting", "Waiting for",  "Dreaming of",  "Crossing",
    "Burning", "Finding", "Losing",   "Naming",   "Running from", "Dancing with", "Building",
};

/* What a track's or an artist's name may end with: marks that careless programs trip over. */
static const char *const flourishes[] = {
    " (Live)",    " [Demo]",  " #3",          " & Friends",
    " / Reprise", " '99",     " \"Bootleg\"", " 100% Remix",
    " 🎸",         " 🎷🎹",      " – Édit",      " {untitled}",
    " \\ B-side", "; Part 2", " <Mono>",      " 👩🏽‍🎤",
};

static const char *const genres[] = {
    "Indie Rock",  "Dream Pop", "Folk",          "Ambient",    "Swing",
    "R&B / Soul",  "Synthwave", "Hip Hop / Rap", "Bluegrass",  "Chamber Music",
    "Post-Punk",   "Samba",     "Reggaetón",     "Fado",       "Chanson",
    "Drum & Bass", "Krautrock", "Big Band",      "Film Score", "Spoken Word",
    "Doom Metal",  "Tango",     "Children's",    "Choral",     "Radio Play",
};

static const char *const media_types[] = {
    "MP3 audio file", "AAC audio file", "MPEG-4 video file", "FLAC audio file", "Ogg audio file",
};

/* A name as people write it, and as a mail address can carry it. */
struct spelling {
    const char *written;
    const char *plain;
};

static const struct spelling first_names[] = {
    {"Ada", "ada"},       {"Bruno", "bruno"},   {"Chloé", "chloe"}, {"Dario", "dario"},
    {"Esra", "esra"},     {"Félix", "felix"},   {"Greta", "greta"}, {"Hugo", "hugo"},
    {"Inês", "ines"},     {"Jörg", "joerg"},    {"Kaja", "kaja"},   {"Liam", "liam"},
    {"Maëlle", "maelle"}, {"Nikola", "nikola"}, {"Oona", "oona"},   {"Pavel", "pavel"},
    {"Quinn", "quinn"},   {"Rosa", "rosa"},     {"Søren", "soren"}, {"Tove", "tove"},
    {"Uma", "uma"},       {"Viktor", "viktor"}, {"Wanda", "wanda"}, {"Ximena", "ximena"},
    {"Yusuf", "yusuf"},   {"Zoë", "zoe"},       {"Łucja", "lucja"}, {"李", "li"},
};

static const struct spelling last_names[] = {
    {"Aldergrove", "aldergrove"},    {"Birchwood", "birchwood"},       {"Castaño", "castano"},
    {"Dunmere", "dunmere"},          {"Ellerby", "ellerby"},           {"Fjellheim", "fjellheim"},
    {"Grünfeld", "gruenfeld"},       {"Hollowell", "hollowell"},       {"Ivarsson", "ivarsson"},
    {"Jaskółka", "jaskolka"},        {"Kestrelby", "kestrelby"},       {"Lindqvärn", "lindqvarn"},
    {"Montclair", "montclair"},      {"Northgate", "northgate"},       {"O'Wren", "owren"},
    {"Pinheiral", "pinheiral"},      {"Quillfeather", "quillfeather"}, {"Rosenthorn", "rosenthorn"},
    {"Saint-Orme", "saint-orme"},    {"Thistledown", "thistledown"},   {"Umberland", "umberland"},
    {"van Dijkmeer", "vandijkmeer"}, {"Willowby", "willowby"},         {"Yarrowby", "yarrowby"},
    {"Železnik", "zeleznik"},        {"Čapkovský", "capkovsky"},
};

static const char *const streets[] = {
    "Alder Street", "Rue du Moulin", "Lindenallee", "Quay Road",    "Avenida do Farol",
    "Mill Lane",    "Storgata",      "Via Lunga",   "Orchard Row",  "Calle Vieja",
    "Kirkegade",    "Station Road",  "Šípková",     "Harbour View",
};

static const char *const companies[] = {
    "Lantern & Sons",   "Otter Freight Ltd.", "Čtyři Klíče s.r.o.", "Nordlys AS",
    "Moinho Azul S.A.", "Paper Moon Studios", "Brückenbau GmbH",    "Café \"L'Écluse\"",
};

/* state is NULL where a country writes none, postal_code where it has none. # stands for a
 * digit. */
struct place {
    const char *city;
    const char *state;
    const char *country;
    const char *postal_code;
    const char *telephone;
};

static const struct place places[] = {
    {"Port Amber", "CA", "USA", "900##", "+1 (555) 555-01##"},
    {"Maple Hollow", "VT", "USA", "056##", "+1 (555) 555-01##"},
    {"New Larkspur", "WA", "USA", "981##", "+1 (555) 555-01##"},
    {"Dry Creek Falls", "TX", "USA", "787##", "+1 (555) 555-01##"},
    {"Beaver Crossing", "ON", "Canada", "K0A 1X#", "+1 (555) 555-01##"},
    {"Saint-Élan", "QC", "Canada", "G0A 4X#", "+1 (555) 555-01##"},
    {"São Brilho", "SP", "Brazil", "01999-0##", "+55 (11) 5550-01##"},
    {"Porto das Garças", "RJ", "Brazil", "20999-0##", "+55 (21) 5550-01##"},
    {"Kirchlinden", NULL, "Germany", "999##", "+49 030 555001##"},
    {"Obermühl an der Au", NULL, "Germany", "998##", "+49 089 555001##"},
    {"Villeneuve-l'Écluse", NULL, "France", "990##", "+33 01 99 00 01 ##"},
    {"Belrivage", NULL, "France", "991##", "+33 02 61 91 01 ##"},
    {"Lower Wrenbury", NULL, "United Kingdom", "ZZ9# 9ZZ", "+44 020 7946 00##"},
    {"Kestrel-on-Sea", NULL, "United Kingdom", "ZZ8# 9ZZ", "+44 0161 496 00##"},
    {"Nørrehavn", NULL, "Denmark", "99##", "+45 55 50 01 ##"},
    {"Fjordvik", NULL, "Norway", "99##", "+47 555 01 0##"},
    {"Björkåsen", NULL, "Sweden", "999 ##", "+46 08 465 004 ##"},
    {"Łąkowice Małe", NULL, "Poland", "99-9##", "+48 22 555 01 ##"},
    {"Horní Lípa", NULL, "Czech Republic", "999 ##", "+420 555 001 0##"},
    {"Vila Nova do Farol", NULL, "Portugal", "9999-0##", "+351 255 501 0##"},
    {"Puebla del Cierzo", NULL, "Spain", "999##", "+34 955 501 0##"},
    {"Monteverde Ligure", "GE", "Italy", "999##", "+39 055 555 01##"},
    {"Kallioranta", NULL, "Finland", "999##", "+358 09 555 01##"},
    {"Ballywren", "Leinster", "Ireland", NULL, "+353 01 555 01##"},
    {"Wattle Bend", "NSW", "Australia", "299#", "+61 02 5550 01##"},
    {"Chandrapuri Nagar", NULL, "India", "9999##", "+91 055 555501##"},
};

/*
 * One of each is made for every unit of scale. Sizes around 100 and 200 are there because lists are
 * cut into pages of a hundred.
 */
struct playlist_kind {
    const char *name;
    int size;
};

static const struct playlist_kind playlist_kinds[] = {
    {"Everything", 3300},
    {"Films", 0},
    {"On the Train", 210},
    {"Those Years", 1500},
    {"Audio Books", 0},
    {"Hundred and One", 101},
    {"Hundred", 100},
    {"Everything, Shuffled 🔀", 3300},
    {"One Song", 1},
    {"Two Full Pages", 200},
    {"Música para la Tarde", 40},
    {"Chamber Works", 75},
    {"Chamber Works – First Steps", 25},
    {"Chamber Works – The Basics", 25},
    {"To Be Filled", 0},
    {"Foggy Sunday ☕", 15},
    {"Loud \"Classics\"", 26},
    {"On the Go #1", 2},
};

struct employee {
    const char *last_name;
    const char *first_name;
    const char *title;
    int reports_to; /* 0: nobody */
    const char *birth_date;
    const char *hire_date;
    const char *email;
};

static const struct employee employees[] = {
    {"Thistledown", "Agnes", "General Manager", 0, "1962-03-14 00:00:00", "2012-09-03 00:00:00",
     "agnes@musicshop.example"},
    {"Montclair", "Béatrice", "Sales Manager", 1, "1968-11-02 00:00:00", "2012-10-01 00:00:00",
     "beatrice@musicshop.example"},
    {"Kestrelby", "Conrad", "Sales Support Agent", 2, "1983-07-21 00:00:00", "2013-04-15 00:00:00",
     "conrad@musicshop.example"},
    {"O'Wren", "Deirdre", "Sales Support Agent", 2, "1979-01-30 00:00:00", "2013-05-06 00:00:00",
     "deirdre@musicshop.example"},
    {"Ivarsson", "Einar", "Sales Support Agent", 2, "1990-05-09 00:00:00", "2015-02-02 00:00:00",
     "einar@musicshop.example"},
    {"Grünfeld", "Frieda", "IT Manager", 1, "1975-08-17 00:00:00", "2013-10-21 00:00:00",
     "frieda@musicshop.example"},
    {"Castaño", "Gil", "IT Staff", 6, "1992-12-05 00:00:00", "2018-01-08 00:00:00",
     "gil@musicshop.example"},
    {"Willowby", "Harriet", "IT Staff", 6, "1995-02-28 00:00:00", "2020-03-02 00:00:00",
     "harriet@musicshop.example"},
};

#define SUPPORT_AGENT_FIRST 3
#define SUPPORT_AGENT_COUNT 3

#endif
