/* Finds the kinds of records in a sample: by a field that names them, else by how their keys begin.
 */
#include "plan/propose/propose_kinds.h"

#include "base/text.h"
#include "plan/words/template.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { CONSTANT_KEYS_MAX = 16, SEGMENTS_MAX = KIND_PARTS_MAX };
static const char separator = '#';

static bool texts_equal(const struct cell *left, const struct cell *right)
{
    return left->length == right->length && memcmp(left->text, right->text, left->length) == 0;
}

static bool is_text(const struct cell *cell)
{
    return cell != NULL && cell->kind == VALUE_TEXT && memchr(cell->text, 0, cell->length) == NULL;
}

/* ---------------------------------------------------------------- the field that names the kind */

/* `before`: so much of the name stands before such a word. */
static bool is_of_record(const char *name, size_t before)
{
    return before == 0 || name[before - 1] == '_' || strncasecmp(name, "entity", 6) == 0 ||
           strncasecmp(name, "record", 6) == 0 || strncasecmp(name, "item", 4) == 0 ||
           strncasecmp(name, "doc", 3) == 0 || strncasecmp(name, "model", 5) == 0;
}

/* "EntityType", "entity_type", "type", "kind", "_class" … */
static bool names_a_kind(const char *name)
{
    static const char *const words[] = {"type", "kind", "class", "entity", "model"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t word = strlen(words[i]);
        if (length >= word && strcasecmp(name + length - word, words[i]) == 0 &&
            is_of_record(name, length - word)) {
            return true;
        }
    }
    return false;
}

/* Is it a text in all records, of few values? */
static bool tells_kinds(const struct kind_sample *sample, const char *name)
{
    const struct cell *seen[KINDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < sample->count; i++) {
        const struct cell *value = value_field(sample->records[i], name);
        uint32_t at = 0;
        if (!is_text(value) || value->length == 0) {
            return false;
        }
        while (at < count && !texts_equal(seen[at], value)) {
            at++;
        }
        if (at == count) {
            if (count == KINDS_MAX) {
                return false;
            }
            seen[count++] = value;
        }
    }
    return count > 0 && count * 2 <= sample->count + 2;
}

static const char *find_type_field(const struct kind_sample *sample, struct arena *arena)
{
    const struct cell *first = sample->count > 0 ? sample->records[0] : NULL;
    for (uint32_t i = 0; first != NULL && i < first->length; i++) {
        const struct cell *key = &first->items[2 * (size_t)i];
        const char *name = is_text(key) ? arena_copy(arena, key->text, key->length) : NULL;
        if (name != NULL && names_a_kind(name) && tells_kinds(sample, name)) {
            return name;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the key */

static bool is_everywhere(const struct kind_sample *sample, const char *name)
{
    for (uint32_t i = 0; i < sample->count; i++) {
        const struct cell *value = value_field(sample->records[i], name);
        if (value == NULL || value->kind == VALUE_NULL) {
            return false;
        }
    }
    return sample->count > 0;
}

static void find_key(const struct kind_sample *sample, const struct schema_table *table,
                     struct kinds *kinds)
{
    static const char *const usual[][KIND_KEYS_MAX] = {{"PK", "SK"}, {"pk", "sk"}, {"id", NULL},
                                                       {"Id", NULL}, {"ID", NULL}, {"_id", NULL}};
    for (uint32_t i = 0; i < table->primary_key.count && i < KIND_KEYS_MAX; i++) {
        kinds->key[kinds->key_count++] = table->primary_key.names[i];
    }
    for (size_t u = 0; u < sizeof usual / sizeof *usual && kinds->key_count == 0; u++) {
        bool all = true;
        for (uint32_t i = 0; i < KIND_KEYS_MAX && usual[u][i] != NULL; i++) {
            all = all && is_everywhere(sample, usual[u][i]);
        }
        for (uint32_t i = 0; all && i < KIND_KEYS_MAX && usual[u][i] != NULL; i++) {
            kinds->key[kinds->key_count++] = usual[u][i];
        }
    }
}

/* How far the beginning of a key's text goes that is the kind's: to the separator, or to the end if
 * the field has few such texts. */
static uint32_t beginning(const struct cell *text, bool few)
{
    const char *found = memchr(text->text, separator, text->length);
    return found != NULL ? (uint32_t)(found - text->text) + 1 : few ? text->length : 0;
}

static bool few_constants(const struct kind_sample *sample, const char *name)
{
    const struct cell *seen[CONSTANT_KEYS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < sample->count; i++) {
        const struct cell *value = value_field(sample->records[i], name);
        if (!is_text(value) || memchr(value->text, separator, value->length) != NULL) {
            continue;
        }
        uint32_t at = 0;
        while (at < count && !texts_equal(seen[at], value)) {
            at++;
        }
        if (at == count && count == CONSTANT_KEYS_MAX) {
            return false;
        }
        if (at == count) {
            seen[count++] = value;
        }
    }
    return count * 2 <= sample->count;
}

/* The same beginnings of both keys' texts. */
static bool same_beginnings(const struct kinds *kinds, const bool *few, const struct cell *left,
                            const struct cell *right)
{
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        const struct cell *a = value_field(left, kinds->key[k]);
        const struct cell *b = value_field(right, kinds->key[k]);
        if (!is_text(a) || !is_text(b)) {
            if (is_text(a) != is_text(b)) {
                return false;
            }
            continue;
        }
        uint32_t length = beginning(a, few[k]);
        if (length != beginning(b, few[k]) || memcmp(a->text, b->text, length) != 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- kinds */

static bool is_of_kind(const struct kinds *kinds, const bool *few, const struct kind *kind,
                       const struct cell *record)
{
    const struct cell *first = kind->records[0];
    return kinds->type_field != NULL ? texts_equal(value_field(first, kinds->type_field),
                                                   value_field(record, kinds->type_field))
                                     : same_beginnings(kinds, few, first, record);
}

/* False: there are too many. */
static bool group(struct kinds *kinds, const struct kind_sample *sample, struct arena *arena)
{
    bool few[KIND_KEYS_MAX];
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        few[k] = few_constants(sample, kinds->key[k]);
    }
    kinds->count = 0;
    for (uint32_t i = 0; i < sample->count; i++) {
        uint32_t at = 0;
        while (at < kinds->count &&
               !is_of_kind(kinds, few, &kinds->kinds[at], sample->records[i])) {
            at++;
        }
        if (at == kinds->count) {
            struct kind *kind = &kinds->kinds[at];
            if (kinds->count == KINDS_MAX) {
                return false;
            }
            *kind = (struct kind){
                .records = arena_allocate(arena, (size_t)sample->count * sizeof(struct cell *))};
            kinds->count++;
        }
        kinds->kinds[at].records[kinds->kinds[at].record_count++] = sample->records[i];
    }
    return true;
}

static void one_for_all(struct kinds *kinds, const struct kind_sample *sample)
{
    kinds->count = 1;
    kinds->type_field = NULL;
    kinds->kinds[0] = (struct kind){.records = sample->records, .record_count = sample->count};
}

/* ---------------------------------------------------------------- templates of keys */

struct segments {
    const char *text[SEGMENTS_MAX];
    uint32_t length[SEGMENTS_MAX];
    uint32_t count; /* SEGMENTS_MAX + 1: too many */
};

static void propose_kinds_cut(const struct cell *text, struct segments *segments)
{
    const char *at = text->text;
    const char *end = at + text->length;
    segments->count = 0;
    for (;;) {
        const char *next = memchr(at, separator, (size_t)(end - at));
        if (segments->count == SEGMENTS_MAX) {
            segments->count++;
            return;
        }
        segments->text[segments->count] = at;
        segments->length[segments->count++] = (uint32_t)((next != NULL ? next : end) - at);
        if (next == NULL) {
            return;
        }
        at = next + 1;
    }
}

static bool segment_is(const struct segments *segments, uint32_t index, const char *text,
                       uint32_t length)
{
    return index < segments->count && index < SEGMENTS_MAX && segments->length[index] == length &&
           memcmp(segments->text[index], text, length) == 0;
}

static bool has_digit(const char *text, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (isdigit((unsigned char)text[i])) {
            return true;
        }
    }
    return false;
}

/* The same in all records, and not by chance: few records, and a digit in it, may be chance. */
static bool is_constant(const struct kind *kind, const char *field, uint32_t index)
{
    struct segments first = {0};
    struct segments other = {0};
    propose_kinds_cut(value_field(kind->records[0], field), &first);
    for (uint32_t i = 1; i < kind->record_count; i++) {
        propose_kinds_cut(value_field(kind->records[i], field), &other);
        if (!segment_is(&other, index, first.text[index], first.length[index])) {
            return false;
        }
    }
    return index == 0 || !has_digit(first.text[index], first.length[index]);
}

static bool segment_is_field(const struct kind *kind, const char *field, uint32_t index,
                             const char *name)
{
    for (uint32_t i = 0; i < kind->record_count; i++) {
        struct segments segments = {0};
        const struct cell *value = value_field(kind->records[i], name);
        char digits[24];
        propose_kinds_cut(value_field(kind->records[i], field), &segments);
        const char *text = value != NULL && value->kind == VALUE_TEXT ? value->text : digits;
        if (value == NULL || (value->kind != VALUE_TEXT && value->kind != VALUE_INT64)) {
            return false;
        }
        uint32_t length = value->length;
        if (value->kind == VALUE_INT64) {
            length = (uint32_t)text_from_int64(value->i64, digits);
        }
        if (!segment_is(&segments, index, text, length)) {
            return false;
        }
    }
    return true;
}

static bool is_whole(const struct kind *kind, const char *field, uint32_t index)
{
    for (uint32_t i = 0; i < kind->record_count; i++) {
        struct segments segments = {0};
        int64_t number;
        propose_kinds_cut(value_field(kind->records[i], field), &segments);
        const char *text = segments.text[index];
        uint32_t length = segments.length[index];
        if (length > 18 || text_to_int64(text, length, &number) != STATUS_OK ||
            (text[0] == '0' && length > 1)) {
            return false;
        }
    }
    return true;
}

static const char *field_of_segment(const struct kind *kind, const char *field, uint32_t index,
                                    struct arena *arena)
{
    const struct cell *first = kind->records[0];
    for (uint32_t i = 0; i < first->length; i++) {
        const struct cell *key = &first->items[2 * (size_t)i];
        const char *name = is_text(key) ? arena_copy(arena, key->text, key->length) : NULL;
        if (name != NULL && strcmp(name, field) != 0 &&
            segment_is_field(kind, field, index, name)) {
            return name;
        }
    }
    return NULL;
}

static void append_literal(struct buffer *out, const char *text, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        buffer_append_byte(out, text[i]);
        if (text[i] == '{' || text[i] == '}') {
            buffer_append_byte(out, text[i]);
        }
    }
}

static void append_value(struct buffer *out, const struct kind *kind, struct kind_key *key,
                         uint32_t index, bool rest, struct arena *arena)
{
    const char *name = rest ? NULL : field_of_segment(kind, key->field, index, arena);
    if (name == NULL) {
        name = arena_format(arena, "%s_%u", key->field, index + 1);
        key->parts[key->part_count] = name;
        key->part_is_whole[key->part_count++] = !rest && is_whole(kind, key->field, index);
    }
    buffer_append_byte(out, '{');
    buffer_append_string(out, template_quote_name(arena, name));
    buffer_append_byte(out, '}');
}

/* How many segments the texts have, 0: not all the same. */
static uint32_t common_segments(const struct kind *kind, const char *field)
{
    struct segments segments = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < kind->record_count; i++) {
        const struct cell *value = value_field(kind->records[i], field);
        if (!is_text(value)) {
            return 0;
        }
        propose_kinds_cut(value, &segments);
        count = i == 0 || count == segments.count ? segments.count : SEGMENTS_MAX + 1;
    }
    return count;
}

/* "ORDER#{InvoiceDate}#{InvoiceId}": what is the same in all texts, and names for what is not. */
static void make_pattern(const struct kind *kind, struct kind_key *key, struct arena *arena)
{
    struct buffer text = {0};
    struct segments first = {0};
    uint32_t count = common_segments(kind, key->field);
    if (count == 0) {
        return;
    }
    propose_kinds_cut(value_field(kind->records[0], key->field), &first);
    bool uneven = count > SEGMENTS_MAX;
    bool varied = !is_constant(kind, key->field, 0);
    if (varied && (uneven || count == 1)) {
        return;
    }
    for (uint32_t i = 0; i < (uneven ? 1 : count); i++) {
        if (i > 0) {
            buffer_append_byte(&text, separator);
        }
        if (is_constant(kind, key->field, i)) {
            append_literal(&text, first.text[i], first.length[i]);
        } else {
            append_value(&text, kind, key, i, false, arena);
        }
    }
    if (uneven) {
        buffer_append_byte(&text, separator);
        append_value(&text, kind, key, 1, true, arena);
    }
    key->pattern = arena_copy(arena, buffer_string(&text), text.length);
    buffer_free(&text);
}

/* ---------------------------------------------------------------- fields */

static void note_fields(const struct cell *record, struct arena *arena, struct kind_field **fields,
                        uint32_t *count, bool nested);

static void note_elements(struct kind_field *field, const struct cell *list, struct arena *arena)
{
    for (uint32_t i = 0; i < list->length; i++) {
        const struct cell *element = &list->items[i];
        field->element_kinds |= 1u << element->kind;
        if (element->kind == VALUE_MAP) {
            note_fields(element, arena, &field->elements, &field->element_count, true);
        }
    }
}

static void note_fields(const struct cell *record, struct arena *arena, struct kind_field **fields,
                        uint32_t *count, bool nested)
{
    if (*fields == NULL) {
        *fields = arena_allocate_zeroed(arena, KIND_FIELDS_MAX, sizeof **fields);
    }
    for (uint32_t i = 0; i < record->length; i++) {
        const struct cell *key = &record->items[2 * (size_t)i];
        uint32_t at = 0;
        if (!is_text(key) || key->length == 0) {
            continue;
        }
        while (at < *count && (strlen((*fields)[at].name) != key->length ||
                               memcmp((*fields)[at].name, key->text, key->length) != 0)) {
            at++;
        }
        if (at == KIND_FIELDS_MAX) {
            continue;
        }
        struct kind_field *field = &(*fields)[at];
        if (at == *count) {
            field->name = arena_copy(arena, key->text, key->length);
            ++*count;
        }
        field->kinds |= 1u << key[1].kind;
        bool list = key[1].kind == VALUE_LIST || key[1].kind == VALUE_SET;
        if (list && !nested) {
            note_elements(field, &key[1], arena);
        }
    }
}

/* ---------------------------------------------------------------- all together */

static const char *name_of(const struct kinds *kinds, const struct kind *kind,
                           const struct schema_table *table, struct arena *arena)
{
    struct segments segments = {0};
    if (kind->type != NULL) {
        return kind->type;
    }
    for (uint32_t k = kinds->key_count; kinds->count > 1 && k > 0; k--) {
        const struct cell *value = value_field(kind->records[0], kinds->key[k - 1]);
        if (!is_text(value) || kind->keys[k - 1].pattern == NULL ||
            kind->keys[k - 1].pattern[0] == '{') {
            continue;
        }
        propose_kinds_cut(value, &segments);
        if (segments.length[0] > 0) {
            return arena_format(arena, "%s_%.*s", table->name, (int)segments.length[0],
                                segments.text[0]);
        }
    }
    return table->name;
}

/* By the beginning of one of their keys at least; else a record could fit both. */
static bool are_disjoint(const struct kind *left, const struct kind *right)
{
    for (uint32_t k = 0; k < left->key_count; k++) {
        struct segments a = {0};
        struct segments b = {0};
        if (left->keys[k].pattern == NULL || right->keys[k].pattern == NULL) {
            continue;
        }
        propose_kinds_cut(value_field(left->records[0], left->keys[k].field), &a);
        propose_kinds_cut(value_field(right->records[0], right->keys[k].field), &b);
        if (!segment_is(&a, 0, b.text[0], b.length[0]) || (a.count == 1) != (b.count == 1)) {
            return true;
        }
    }
    return false;
}

static bool all_disjoint(const struct kinds *kinds)
{
    for (uint32_t i = 0; i < kinds->count && kinds->type_field == NULL; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!are_disjoint(&kinds->kinds[i], &kinds->kinds[j])) {
                return false;
            }
        }
    }
    return true;
}

static void make_patterns(struct kinds *kinds, struct arena *arena)
{
    for (uint32_t i = 0; i < kinds->count; i++) {
        struct kind *kind = &kinds->kinds[i];
        for (uint32_t k = 0; k < kinds->key_count; k++) {
            kind->keys[kind->key_count].field = kinds->key[k];
            make_pattern(kind, &kind->keys[kind->key_count++], arena);
        }
    }
}

void kinds_find(const struct kind_sample *sample, const struct schema_table *table,
                struct arena *arena, struct kinds *kinds)
{
    *kinds = (struct kinds){.kinds = arena_allocate_zeroed(arena, KINDS_MAX, sizeof *kinds->kinds)};
    find_key(sample, table, kinds);
    kinds->type_field = find_type_field(sample, arena);
    if (!group(kinds, sample, arena)) {
        one_for_all(kinds, sample);
    }
    make_patterns(kinds, arena);
    if (!all_disjoint(kinds)) {
        one_for_all(kinds, sample);
        make_patterns(kinds, arena);
    }
    for (uint32_t i = 0; i < kinds->count; i++) {
        struct kind *kind = &kinds->kinds[i];
        const struct cell *type =
            kinds->type_field != NULL ? value_field(kind->records[0], kinds->type_field) : NULL;
        kind->type = type != NULL ? arena_copy(arena, type->text, type->length) : NULL;
        for (uint32_t r = 0; r < kind->record_count; r++) {
            note_fields(kind->records[r], arena, &kind->fields, &kind->field_count, false);
        }
        kind->name = name_of(kinds, kind, table, arena);
    }
}
