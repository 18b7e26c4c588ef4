/*
 * Keys and relations by the names of columns, for schemas that do not declare them. The rules are
 * of the trade, not of a source; each has its confidence:
 *
 *   key        id, uuid (0.8); <table>_id, <table>id, <table>_uuid (0.9); <table>_code, code (0.5);
 *              of a link table all columns that refer to something (0.6); else all columns (0.2)
 *   relation   <other>_id or the name of the other's key (0.9); <role>_<other>_id (0.7);
 *              parent_id, reports_to and the like to the table itself (0.6)
 *
 * Names are compared by their words in lower case, without plurals: "OrderLines" and "order_line"
 * are one.
 */
#include "design/graph/graph_parts.h"

#include "base/name_index.h"
#include <ctype.h>
#include <string.h>

enum { WORDS_MAX = 12, FOLDED_BYTES = 128 };
static const double hint_confidence = 0.6;

/* A name's words in lower case, one after the other; of bytes beyond ASCII as they are. */
struct words {
    char text[FOLDED_BYTES];
    uint8_t starts[WORDS_MAX + 1]; /* and the end of the last */
    uint32_t count;
};

static bool begins_word(const char *name, size_t at)
{
    if (at == 0 || !isalnum((unsigned char)name[at - 1])) {
        return true;
    }
    bool upper = isupper((unsigned char)name[at]) != 0;
    return upper &&
           (islower((unsigned char)name[at - 1]) != 0 || islower((unsigned char)name[at + 1]) != 0);
}

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

static void graph_names_split(const char *name, struct words *words)
{
    size_t length = 0;
    *words = (struct words){0};
    for (size_t at = 0; name[at] != '\0' && length + 1 < FOLDED_BYTES; at++) {
        if (!is_word_byte(name[at])) {
            continue;
        }
        if (begins_word(name, at) && words->count < WORDS_MAX &&
            (words->count == 0 || words->starts[words->count - 1] < length)) {
            words->starts[words->count++] = (uint8_t)length;
        }
        words->text[length++] = (char)tolower((unsigned char)name[at]);
    }
    words->text[length] = '\0';
    words->starts[words->count] = (uint8_t)length;
}

static bool ends_in(const char *text, size_t length, const char *ending)
{
    size_t size = strlen(ending);
    return length > size && memcmp(text + length - size, ending, size) == 0;
}

/* The length of an English word without its plural's ending; "ies" is made a "y" here. */
static size_t singular(char *text, size_t length)
{
    if (length > 4 && ends_in(text, length, "ies")) {
        text[length - 3] = 'y';
        return length - 2;
    }
    if (ends_in(text, length, "sses") || ends_in(text, length, "xes") ||
        ends_in(text, length, "ches") || ends_in(text, length, "shes")) {
        return length - 2;
    }
    bool plural = length > 3 && ends_in(text, length, "s") && !ends_in(text, length, "ss") &&
                  !ends_in(text, length, "us") && !ends_in(text, length, "is");
    return plural ? length - 1 : length;
}

/* The words from `first` to before `end`, singular, one behind the other. */
static void graph_names_fold(const struct words *words, uint32_t first, uint32_t end, char *out)
{
    size_t length = words->starts[end] - words->starts[first];
    memcpy(out, words->text + words->starts[first], length);
    out[singular(out, length)] = '\0';
}

static bool is_word(const struct words *words, uint32_t at, const char *word)
{
    size_t length = (size_t)words->starts[at + 1] - words->starts[at];
    return strlen(word) == length && memcmp(words->text + words->starts[at], word, length) == 0;
}

/* ---------------------------------------------------------------- keys */

static double key_confidence(const struct words *column, const char *entity)
{
    static const char *const endings[] = {"id", "uuid", "guid", "key"};
    char own[FOLDED_BYTES];
    bool identity = false;
    if (column->count == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        identity = identity || is_word(column, column->count - 1, endings[i]);
    }
    bool code = is_word(column, column->count - 1, "code");
    if (column->count == 1) {
        return is_word(column, 0, "id") || is_word(column, 0, "uuid") ? 0.8 : code ? 0.5 : 0;
    }
    graph_names_fold(column, 0, column->count - 1, own);
    bool of_table = strcmp(own, entity) == 0;
    return of_table && identity ? 0.9 : of_table && code ? 0.5 : 0;
}

void graph_infer_key(struct graph_building *building, struct graph_entity *entity)
{
    struct words words;
    char own[FOLDED_BYTES] = "";
    double best = 0;
    graph_names_split(entity->name, &words);
    if (words.count > 0) {
        graph_names_fold(&words, 0, words.count, own);
    }
    entity->key_origin = GRAPH_FROM_NAMES;
    for (uint32_t i = 0; i < entity->field_count; i++) {
        graph_names_split(entity->fields[i].name, &words);
        double confidence = key_confidence(&words, own);
        if (confidence > best) {
            best = confidence;
            entity->key = graph_one_field(i, building->arena);
        }
    }
    entity->key_confidence = best;
}

/* ---------------------------------------------------------------- relations */

struct naming {
    struct graph_building *building;
    struct name_index entities; /* by folded name */
    struct name_index keys;     /* by the folded name of a key of one column; the entity's number */
};

static void index_names(struct naming *naming)
{
    struct words words;
    char folded[FOLDED_BYTES];
    struct graph_building *building = naming->building;
    for (uint32_t i = 0; i < building->entity_count; i++) {
        const struct graph_entity *entity = &building->entities[i];
        graph_names_split(entity->name, &words);
        if (words.count > 0) {
            graph_names_fold(&words, 0, words.count, folded);
            const char *name = arena_copy_string(building->arena, folded);
            (void)name_index_add(&naming->entities, name, strlen(name), i);
        }
        if (entity->key.count == 1) {
            graph_names_split(entity->fields[entity->key.at[0]].name, &words);
            const char *name = arena_copy_string(building->arena, words.text);
            if (words.count > 1) {
                (void)name_index_add(&naming->keys, name, strlen(name), i);
            }
        }
    }
}

static bool refers_to_itself(const struct words *words)
{
    static const char *const roles[] = {"parent", "manager", "supervisor", "boss", "previous"};
    if (words->count == 2 && is_word(words, 0, "reports") && is_word(words, 1, "to")) {
        return true;
    }
    bool identity = words->count == 2 && is_word(words, 1, "id");
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles) && identity; i++) {
        if (is_word(words, 0, roles[i])) {
            return true;
        }
    }
    return false;
}

/* The entity that a column's name speaks of: GRAPH_NONE if it speaks of none. */
static uint32_t spoken_of(const struct naming *naming, uint32_t from, const struct words *words,
                          double *confidence)
{
    char folded[FOLDED_BYTES];
    uint32_t last = words->count - 1;
    uint32_t found = name_index_find(&naming->keys, words->text, strlen(words->text));
    *confidence = 0.9;
    if (found != NAME_INDEX_NONE && found != from) {
        return found;
    }
    bool identity =
        words->count > 1 && (is_word(words, last, "id") || is_word(words, last, "uuid"));
    for (uint32_t first = 0; identity && first < last; first++) {
        graph_names_fold(words, first, last, folded);
        found = name_index_find(&naming->entities, folded, strlen(folded));
        if (found != NAME_INDEX_NONE) {
            *confidence = first == 0 ? 0.9 : 0.7;
            return found;
        }
    }
    *confidence = 0.6;
    return refers_to_itself(words) ? from : GRAPH_NONE;
}

/* Both are of one type, as far as types are known: types without the source's own words are
 * guesses. */
static bool is_alike(const struct graph_field *left, const struct graph_field *right)
{
    enum value_kind a = left->type.kind;
    enum value_kind b = right->type.kind;
    bool guessed = left->column->type.native == NULL || right->column->type.native == NULL;
    return guessed || a == b || (value_kind_is_number(a) && value_kind_is_number(b));
}

static void infer_of(struct naming *naming, uint32_t from, uint32_t field)
{
    struct graph_building *building = naming->building;
    const struct graph_entity *entity = &building->entities[from];
    struct words words;
    double confidence = 0;
    graph_names_split(entity->fields[field].name, &words);
    if (words.count == 0 || (entity->key.count == 1 && entity->key.at[0] == field)) {
        return;
    }
    uint32_t to = spoken_of(naming, from, &words, &confidence);
    if (to == GRAPH_NONE || building->entities[to].key.count != 1 ||
        !is_alike(&entity->fields[field],
                  &building->entities[to].fields[building->entities[to].key.at[0]])) {
        return;
    }
    struct graph_relation relation = {.from = from,
                                      .to = to,
                                      .fields = graph_one_field(field, building->arena),
                                      .referenced = building->entities[to].key,
                                      .origin = GRAPH_FROM_NAMES,
                                      .confidence =
                                          confidence * building->entities[to].key_confidence};
    graph_add_relation(building, &relation);
}

/* The name of the other key where that is more than "id", or that of its table with hardly
 * anything else: "customer", "cust_customer", "customer_no". */
double graph_name_hint(const struct graph_entity *from, uint32_t field,
                       const struct graph_entity *to, uint32_t referenced)
{
    static const char *const endings[] = {"id",  "uuid", "guid",   "key", "code", "no",
                                          "num", "nr",   "number", "ref", "fk",   "name"};
    struct words words;
    struct words other;
    char own[FOLDED_BYTES];
    char folded[FOLDED_BYTES];
    graph_names_split(to->fields[referenced].name, &other);
    graph_names_split(from->fields[field].name, &words);
    if (words.count > 0 && words.count == other.count && words.count > 1 &&
        strcmp(words.text, other.text) == 0) {
        return hint_confidence;
    }
    graph_names_split(to->name, &other);
    if (words.count == 0 || other.count == 0 || from == to) {
        return 0;
    }
    graph_names_fold(&other, 0, other.count, own);
    uint32_t end = words.count;
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings) && end == words.count; i++) {
        end -= words.count > 1 && is_word(&words, words.count - 1, endings[i]);
    }
    for (uint32_t first = 0; first < end; first++) {
        graph_names_fold(&words, first, end, folded);
        if (strcmp(folded, own) == 0) {
            return hint_confidence;
        }
    }
    return 0;
}

/* An entity without a key is identified by what it refers to, else by all that it has. */
static void settle_key(struct graph_building *building, uint32_t number)
{
    struct graph_entity *entity = &building->entities[number];
    uint32_t *at = arena_allocate_zeroed(building->arena, entity->field_count + 1u, sizeof(*at));
    uint32_t count = 0;
    for (uint32_t i = 0; i < building->relation_count; i++) {
        const struct graph_relation *relation = &building->relations[i];
        for (uint32_t j = 0; relation->from == number && j < relation->fields.count; j++) {
            if (!graph_fields_hold((struct graph_fields){at, count}, relation->fields.at[j])) {
                at[count++] = relation->fields.at[j];
            }
        }
    }
    entity->key_origin = GRAPH_FROM_NAMES;
    entity->is_key_settled = true;
    entity->key_confidence = 0.6;
    if (count < 2) {
        for (count = 0; count < entity->field_count; count++) {
            at[count] = count;
        }
        entity->key_confidence = 0.2;
    }
    entity->key = (struct graph_fields){at, count};
}

void graph_infer_relations(struct graph_building *building)
{
    struct naming naming = {.building = building,
                            .entities = {.arena = building->arena},
                            .keys = {.arena = building->arena}};
    index_names(&naming);
    for (uint32_t from = 0; from < building->entity_count; from++) {
        for (uint32_t i = 0; i < building->entities[from].field_count; i++) {
            if (building->entities[from].table->foreign_key_count == 0 ||
                !graph_refers(building, from, i)) {
                infer_of(&naming, from, i);
            }
        }
    }
    graph_settle_keys(building);
}

void graph_settle_keys(struct graph_building *building)
{
    for (uint32_t i = 0; i < building->entity_count; i++) {
        if (building->entities[i].key.count == 0 || building->entities[i].is_key_settled) {
            settle_key(building, i);
        }
    }
}
