/* Texts that are made up: of common words, chosen by 128 bits. Domains and numbers are those that
 * are kept for examples (RFC 2606). */
#include "base/buffer.h"
#include "model/mask.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <utf8proc.h>

static const char *const first_names[] = {
    "Ada",   "Adam",   "Agnes", "Alan",   "Alice",  "Amir",  "Ana",   "Anton",  "Aylin",
    "Ben",   "Bianca", "Boris", "Carla",  "Carlos", "Chen",  "Clara", "Daniel", "Daria",
    "David", "Diego",  "Dora",  "Elena",  "Elif",   "Emil",  "Emma",  "Erik",   "Eva",
    "Farah", "Felix",  "Fiona", "Frida",  "George", "Greta", "Hana",  "Hassan", "Helen",
    "Henry", "Ida",    "Igor",  "Ines",   "Ivan",   "Jan",   "Jana",  "Jonas",  "Julia",
    "Karim", "Kira",   "Lara",  "Leo",    "Lina",   "Luca",  "Lucy",  "Maria",  "Mark",
    "Maya",  "Milan",  "Mina",  "Nadia",  "Nils",   "Nora",  "Olga",  "Omar",   "Oscar",
    "Paula", "Pavel",  "Petra", "Quinn",  "Rafael", "Rita",  "Robin", "Rosa",   "Samir",
    "Sara",  "Simon",  "Sofia", "Stella", "Tariq",  "Tessa", "Theo",  "Tom",    "Uma",
    "Vera",  "Victor", "Wanda", "Yara",   "Yuki",   "Zara",  "Zoe"};
static const char *const last_names[] = {
    "Adler",   "Almeida",  "Andersen", "Bauer",  "Becker", "Berg",   "Bianchi", "Brown",  "Carter",
    "Castro",  "Clark",    "Costa",    "Dahl",   "Demir",  "Diaz",   "Dubois",  "Evans",  "Farkas",
    "Ferrari", "Fischer",  "Fuchs",    "Garcia", "Gomez",  "Gray",   "Haas",    "Hansen", "Hill",
    "Horvat",  "Ito",      "Ivanova",  "Jansen", "Jones",  "Kaya",   "Keller",  "Khan",   "Kim",
    "Klein",   "Kovacs",   "Lang",     "Larsen", "Lee",    "Lopez",  "Lund",    "Maier",  "Marin",
    "Martin",  "Meyer",    "Mohr",     "Moreau", "Nagy",   "Novak",  "Okafor",  "Olsen",  "Patel",
    "Perez",   "Petrov",   "Popescu",  "Reis",   "Ricci",  "Roth",   "Sato",    "Schmid", "Silva",
    "Singh",   "Smith",    "Soto",     "Stein",  "Suzuki", "Tanaka", "Taylor",  "Thomas", "Toth",
    "Vargas",  "Virtanen", "Vogel",    "Wagner", "Walker", "Weber",  "White",   "Winter", "Wolf",
    "Wood",    "Yilmaz",   "Young",    "Zeman",  "Ziegler"};
static const char *const streets[] = {
    "Oak Street",    "Mill Lane",     "High Street", "Park Avenue",   "Station Road",
    "Church Lane",   "Lake View",     "Hill Road",   "Garden Street", "River Walk",
    "Elm Street",    "Main Street",   "North Road",  "South Street",  "Forest Way",
    "Bridge Street", "Market Square", "School Lane", "West Street",   "Meadow Close"};
static const char *const cities[] = {
    "Ashford",   "Brookfield", "Cliffton",   "Dunmore",   "Eastwick",  "Fairview", "Glenwood",
    "Highbury",  "Ivybridge",  "Kingsport",  "Lakewood",  "Millbrook", "Northam",  "Oakdale",
    "Pinehurst", "Redhill",    "Springdale", "Thornbury", "Upton",     "Westfield"};
static const char *const trades[] = {"Foods",   "Logistics", "Systems", "Works",    "Partners",
                                     "Trading", "Media",     "Energy",  "Textiles", "Tools"};
static const char *const domains[] = {"example.com", "example.net", "example.org"};

/* Takes a part of the bits. */
static uint64_t mask_fake_take(uint64_t *bits, uint64_t count)
{
    uint64_t part = *bits % count;
    *bits /= count;
    return part;
}

#define CHOOSE(bits, list) (list)[mask_fake_take(bits, sizeof(list) / sizeof(list)[0])]

static void append_small(const char *word, struct buffer *out)
{
    for (; *word != '\0'; word++) {
        buffer_append_byte(out, (char)tolower((unsigned char)*word));
    }
}

/* Nearly as many as there are values: some columns take an address once. */
static void append_email(uint64_t bits[2], struct buffer *out)
{
    append_small(CHOOSE(&bits[0], first_names), out);
    buffer_append_byte(out, '.');
    append_small(CHOOSE(&bits[0], last_names), out);
    buffer_format(out, ".%010" PRIx64 "@%s", bits[1] & UINT64_C(0xffffffffff),
                  CHOOSE(&bits[0], domains));
}

/* Other digits in the form of the old number; letters, which are none of a number's, become x. */
static void append_phone(uint64_t bits[2], const char *like, size_t length, struct buffer *out)
{
    uint64_t left = bits[0];
    utf8proc_ssize_t size = 0;
    for (size_t at = 0; at < length; at += (size_t)size) {
        utf8proc_int32_t point = 0;
        size = utf8proc_iterate((const utf8proc_uint8_t *)like + at,
                                (utf8proc_ssize_t)(length - at), &point);
        size = size > 0 ? size : 1;
        utf8proc_category_t category = utf8proc_category(point);
        left = left < 10 ? bits[1] + at : left;
        if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) {
            buffer_append_byte(out, (char)('0' + mask_fake_take(&left, 10)));
        } else if (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_ZS) {
            buffer_append(out, like + at, (size_t)size);
        } else {
            buffer_append_byte(out, 'x');
        }
    }
}

void mask_fake_append(enum mask_fake what, const uint64_t bits[2], const char *like, size_t length,
                      struct buffer *out)
{
    uint64_t left[2] = {bits[0], bits[1]};
    switch (what) {
    case MASK_FAKE_FIRST_NAME:
        buffer_append_string(out, CHOOSE(&left[0], first_names));
        break;
    case MASK_FAKE_LAST_NAME:
        buffer_append_string(out, CHOOSE(&left[0], last_names));
        break;
    case MASK_FAKE_NAME:
        buffer_append_string(out, CHOOSE(&left[0], first_names));
        buffer_append_byte(out, ' ');
        buffer_append_string(out, CHOOSE(&left[0], last_names));
        break;
    case MASK_FAKE_EMAIL:
        append_email(left, out);
        break;
    case MASK_FAKE_PHONE:
        append_phone(left, like, length, out);
        break;
    case MASK_FAKE_STREET:
        buffer_format(out, "%u %s", (unsigned)mask_fake_take(&left[0], 200) + 1,
                      CHOOSE(&left[1], streets));
        break;
    case MASK_FAKE_CITY:
        buffer_append_string(out, CHOOSE(&left[0], cities));
        break;
    case MASK_FAKE_COMPANY:
        buffer_append_string(out, CHOOSE(&left[0], last_names));
        buffer_append_byte(out, ' ');
        buffer_append_string(out, CHOOSE(&left[0], trades));
        break;
    }
}
