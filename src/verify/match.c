/* The matching of one key's records, and a line for each difference. */
#include "verify/match.h"

#include "model/json_writer.h"
#include "plan/mapping.h"
#include "verify/repair.h"
#include "verify/show.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to match records");
}

static enum status cant_write(const struct match *match, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_WRITE, errno, match->verify->record_file,
                           "can't write the list of differences");
}

enum status match_begin(struct match *match, struct verify *verify, struct error *error)
{
    uint32_t rows = verify->entity_count + verify->table_count;
    match->verify = verify;
    match->entities =
        arena_allocate_zeroed(verify->arena, (size_t)rows + 1, sizeof(*match->entities));
    match->collapsed =
        arena_allocate_zeroed(verify->arena, (size_t)verify->entity_count + 1, sizeof(uint64_t));
    if (match->entities == NULL || match->collapsed == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        const struct plan_entity *entity = verify->entities[i].plan;
        match->entities[i].name = entity->name;
        match->entities[i].table = verify->tables[entity->table].plan->target.name;
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_entity_result *row = &match->entities[verify->entity_count + i];
        row->name = row->table = verify->tables[i].plan->target.name;
    }
    unlink(verify->record_file);
    int file =
        open(verify->record_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    match->file = file < 0 ? NULL : fdopen(file, "w");
    return match->file != NULL ? STATUS_OK : cant_write(match, error);
}

void match_free(struct match *match)
{
    if (match->file != NULL) {
        fclose(match->file);
        match->file = NULL;
    }
    buffer_free(&match->line);
}

enum status match_end(struct match *match, struct error *error)
{
    FILE *file = match->file;
    match->file = NULL;
    if (file == NULL) {
        return STATUS_OK;
    }
    bool failed = fflush(file) != 0 || ferror(file) != 0;
    return fclose(file) == 0 && !failed ? STATUS_OK : cant_write(match, error);
}

/* ---------------------------------------------------------------- whose a record is */

static bool field_of(const struct spill_head *head, const char *name, struct spill_field *field)
{
    const char *at = spill_fields(head);
    size_t length = strlen(name);
    for (uint32_t i = 0; i < head->field_count; i++) {
        spill_field_read(&at, field);
        if (field->name_length == length && memcmp(field->name, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Could the entity have made it? By its constants and by what its texts begin with. */
static bool entity_fits(const struct plan_entity *entity, const struct spill_head *head)
{
    const struct mapping *mapping = entity->mapping;
    struct spill_field field;
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *made = &mapping->fields[i];
        const struct template_part *part =
            made->kind == FIELD_TEMPLATE && made->template.count > 0 ? made->template.parts : NULL;
        bool constant = made->kind == FIELD_CONST && made->constant.kind == VALUE_TEXT;
        const char *text = constant ? made->constant.text : part != NULL ? part->literal : NULL;
        size_t length = constant ? made->constant.length : part != NULL ? part->literal_length : 0;
        if (text == NULL || length == 0 || length > 100 || made->when != MAPPING_NONE) {
            continue;
        }
        /* what is shown of a text is in quotes */
        if (!field_of(head, made->name, &field) || field.shown_length < length + 1 ||
            memcmp(field.shown + 1, text, length) != 0 ||
            (constant && field.shown_length != length + 2)) {
            return false;
        }
    }
    return true;
}

static uint32_t row_of(const struct match *match, const struct spill_head *head)
{
    const struct verify *verify = match->verify;
    const struct plan_table *table = verify->tables[head->table].plan;
    if (head->entity != UINT32_MAX) {
        return head->entity;
    }
    if (table->entity_count == 1) {
        return table->entities[0];
    }
    for (uint32_t i = 0; i < table->entity_count; i++) {
        if (entity_fits(verify->entities[table->entities[i]].plan, head)) {
            return table->entities[i];
        }
    }
    return verify->entity_count + head->table;
}

/* ---------------------------------------------------------------- lines */

static enum status begin_line(struct match *match, uint32_t row, const char *kind,
                              const struct spill_head *head, struct error *error)
{
    struct buffer *out = &match->line;
    const struct verify_entity_result *result = &match->entities[row];
    buffer_clear(out);
    buffer_append_string(out, "{\"kind\":\"");
    buffer_append_string(out, kind);
    buffer_append_string(out, "\",\"entity\":");
    show_text(out, result->name, strlen(result->name));
    buffer_append_string(out, ",\"table\":");
    show_text(out, result->table, strlen(result->table));
    if (head != NULL) {
        buffer_append_string(out, ",\"key\":");
        return show_key(head, out, error);
    }
    return STATUS_OK;
}

static enum status end_line(struct match *match, struct error *error)
{
    struct buffer *out = &match->line;
    buffer_append_string(out, "}\n");
    if (out->failed) {
        return no_memory(error);
    }
    if (match->record_count++ < match->verify->options.limit) {
        buffer_append(match->kept, out->data, out->length);
    }
    return fwrite(out->data, 1, out->length, match->file) == out->length ? STATUS_OK
                                                                         : cant_write(match, error);
}

static void append_side(struct buffer *out, const char *name, const struct spill_field *field,
                        const struct buffer *shown)
{
    buffer_append_string(out, name);
    if (field == NULL) {
        buffer_append_string(out, "null");
    } else if (shown->failed) {
        out->failed = 1;
    } else {
        show_text(out, shown->data, shown->length);
    }
}

static void append_difference(struct buffer *out, bool *first, const struct spill_field *source,
                              const struct spill_field *target)
{
    const struct spill_field *named = source != NULL ? source : target;
    struct buffer shown[2] = {{0}};
    buffer_append_string(out, *first ? "{\"name\":" : ",{\"name\":");
    *first = false;
    show_text(out, named->name, named->name_length);
    if (source != NULL && target != NULL) {
        show_both(source, target, &shown[0], &shown[1]);
    } else {
        show_one(named, source != NULL ? &shown[0] : &shown[1]);
    }
    append_side(out, ",\"source\":", source, &shown[0]);
    append_side(out, ",\"target\":", target, &shown[1]);
    buffer_append_byte(out, '}');
    buffer_free(&shown[0]);
    buffer_free(&shown[1]);
}

static int compare_field_names(const struct spill_field *a, const struct spill_field *b)
{
    uint32_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    int order = memcmp(a->name, b->name, shorter);
    return order != 0 ? order
                      : (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

static bool same_value(const struct spill_field *a, const struct spill_field *b)
{
    if (a->value != NULL && b->value != NULL) {
        return a->value_length == b->value_length &&
               memcmp(a->value, b->value, a->value_length) == 0;
    }
    return a->hash == b->hash;
}

/* Is a field that only the target has none of those that the source's record was made with? A
 * column that its entity fills is one of them also where the record has nothing in it. */
static bool is_others(const struct verify *verify, const struct spill_head *source,
                      const struct spill_field *field)
{
    const struct record_form *form = &verify->entities[source->entity].form;
    bool free_fields = (verify->session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    if (!verify->tables[source->table].restricted) {
        return false;
    }
    for (uint32_t i = 0; i < form->field_count && !free_fields; i++) {
        if (form->fields[i].name_length == field->name_length &&
            memcmp(form->fields[i].name, field->name, field->name_length) == 0) {
            return false;
        }
    }
    return true;
}

/*
 * Walks both lists of fields, which are in one order. Appends the differing ones to `out` (NULL:
 * only looks).
 */
static bool compare_fields(const struct verify *verify, const struct spill_head *source,
                           const struct spill_head *target, struct buffer *out)
{
    const char *left = spill_fields(source);
    const char *right = spill_fields(target);
    struct spill_field a;
    struct spill_field b;
    uint32_t i = 0;
    uint32_t j = 0;
    bool first = true;
    bool equal = true;
    const char *left_next = left;
    const char *right_next = right;
    while (i < source->field_count || j < target->field_count) {
        left_next = left;
        right_next = right;
        if (i < source->field_count) {
            spill_field_read(&left_next, &a);
        }
        if (j < target->field_count) {
            spill_field_read(&right_next, &b);
        }
        int order = i == source->field_count   ? 1
                    : j == target->field_count ? -1
                                               : compare_field_names(&a, &b);
        bool differs = order < 0 || (order > 0 && !is_others(verify, source, &b)) ||
                       (order == 0 && !same_value(&a, &b));
        if (differs) {
            equal = false;
            if (out != NULL) {
                append_difference(out, &first, order <= 0 ? &a : NULL, order >= 0 ? &b : NULL);
            }
        }
        if (order <= 0) {
            left = left_next;
            i++;
        }
        if (order >= 0) {
            right = right_next;
            j++;
        }
    }
    return equal;
}

/* ---------------------------------------------------------------- differences */

/* Record by record; see crowded_repair. */
static bool repairs(const struct match *match)
{
    return match->repair != NULL && !match->crowded;
}

static enum status add_missing(struct match *match, const struct spill_head *source,
                               struct error *error)
{
    uint32_t row = row_of(match, source);
    match->entities[row].missing++;
    if (begin_line(match, row, "missing", source, error) != STATUS_OK ||
        end_line(match, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return repairs(match) ? repair_write(match->repair, source, false, error) : STATUS_OK;
}

static enum status add_extra(struct match *match, const struct spill_head *target,
                             struct error *error)
{
    uint32_t row = row_of(match, target);
    match->entities[row].extra++;
    if (begin_line(match, row, "extra", target, error) != STATUS_OK ||
        end_line(match, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return repairs(match) ? repair_delete(match->repair, target, error) : STATUS_OK;
}

static enum status add_different(struct match *match, const struct spill_head *source,
                                 const struct spill_head *target, struct error *error)
{
    uint32_t row = row_of(match, source);
    match->entities[row].different++;
    if (begin_line(match, row, "different", source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&match->line, ",\"fields\":[");
    compare_fields(match->verify, source, target, &match->line);
    buffer_append_byte(&match->line, ']');
    if (end_line(match, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return repairs(match) ? repair_write(match->repair, source, true, error) : STATUS_OK;
}

enum status match_add_unreadable(struct match *match, const struct verify_table *table,
                                 uint64_t count, struct error *error)
{
    uint32_t row = table->plan->entity_count == 1 ? table->plan->entities[0]
                                                  : match->verify->entity_count + table->number;
    match->entities[row].unreadable += count;
    if (begin_line(match, row, "unreadable", NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&match->line, ",\"count\":%" PRIu64, count);
    return end_line(match, error);
}

/* ---------------------------------------------------------------- one key */

/* The entries of one side, some of them used up. */
struct pile {
    const struct spill_head *const *entries;
    uint32_t count;
    uint32_t first; /* none before it is unused */
    uint8_t *used;
};

static uint32_t first_unused(struct pile *pile)
{
    while (pile->first < pile->count && pile->used[pile->first]) {
        pile->first++;
    }
    return pile->first;
}

static bool is_equal(const struct verify *verify, const struct spill_head *source,
                     const struct spill_head *other)
{
    if (verify->tables[source->table].restricted && other->side == SIDE_TARGET) {
        return compare_fields(verify, source, other, NULL);
    }
    return memcmp(&source->hash, &other->hash, sizeof(source->hash)) == 0 &&
           (other->side != SIDE_TARGET || compare_fields(verify, source, other, NULL));
}

/* Uses up one of `pile` that `source` equals. */
static bool take_equal(const struct verify *verify, const struct spill_head *source,
                       struct pile *pile)
{
    for (uint32_t i = first_unused(pile); i < pile->count; i++) {
        if (!pile->used[i] && is_equal(verify, source, pile->entries[i])) {
            pile->used[i] = 1;
            return true;
        }
    }
    return false;
}

static bool take_any(struct pile *pile, const struct spill_head **taken)
{
    for (uint32_t i = first_unused(pile); i < pile->count; i++) {
        if (!pile->used[i]) {
            pile->used[i] = 1;
            *taken = pile->entries[i];
            return true;
        }
    }
    return false;
}

/* Equal records of the source that `distinct` makes one. Sorted, so they are neighbours. */
static void collapse(struct match *match, const struct verify_table *table, struct pile *source)
{
    for (uint32_t i = 1; i < source->count; i++) {
        const struct spill_head *entry = source->entries[i];
        bool distinct = match->verify->entities[entry->entity].plan->mapping->distinct ||
                        table->plan->target.distinct;
        if (distinct &&
            memcmp(&entry->hash, &source->entries[i - 1]->hash, sizeof(entry->hash)) == 0) {
            source->used[i] = 1;
            match->collapsed[entry->entity]++;
            verify_take_off(match->verify, entry);
        }
    }
}

/* What is left of the source after equal ones found each other. */
static enum status settle_source(struct match *match, const struct verify_table *table,
                                 const struct spill_head *source, struct pile *target,
                                 struct pile *rejects, struct error *error)
{
    const struct spill_head *other;
    if (take_equal(match->verify, source, rejects)) {
        match->entities[source->entity].rejected++;
        match->rejected_one = true;
        if (match->verify->mended && take_any(target, &other)) {
            match->entities[source->entity].kept++; /* what was loaded in its place */
        } else {
            verify_take_off(match->verify, source);
        }
        return STATUS_OK;
    }
    if (spill_is_keyed(source) && take_any(target, &other)) {
        if (table->keys_only) {
            match->entities[source->entity].kept++;
            return STATUS_OK;
        }
        return add_different(match, source, other, error);
    }
    return add_missing(match, source, error);
}

/*
 * A target that does not enforce its keys may hold several records under one: none of them can be
 * taken out alone. All of them go, and what the source has is written again; where extra ones are
 * to stay, so do all of the key.
 */
static enum status crowded_repair(struct match *match, const struct pile *source,
                                  const struct pile *target, const uint8_t *wanted, uint64_t extra,
                                  struct error *error)
{
    if (extra > 0 && !match->verify->options.delete_extra) {
        match->repair->left_count += extra;
        return STATUS_OK;
    }
    enum status status = repair_clear_key(match->repair, target->entries[0], error);
    for (uint32_t i = 0; i < source->count && status == STATUS_OK; i++) {
        if (wanted[i]) {
            status = repair_write(match->repair, source->entries[i], false, error);
        }
    }
    return status;
}

static enum status match_piles(struct match *match, const struct verify_table *table,
                               struct pile piles[3], uint8_t *wanted, struct error *error)
{
    struct pile *source = &piles[SIDE_SOURCE];
    struct pile *target = &piles[SIDE_TARGET];
    uint64_t lines = match->record_count;
    uint64_t extra = 0;
    enum status status = STATUS_OK;
    match->crowded = target->count > 1 && spill_is_keyed(target->entries[0]);
    collapse(match, table, source);
    for (uint32_t i = 0; i < source->count; i++) {
        if (!source->used[i] && take_equal(match->verify, source->entries[i], target)) {
            source->used[i] = 1;
            wanted[i] = 1;
        }
    }
    for (uint32_t i = 0; i < source->count && status == STATUS_OK; i++) {
        if (!source->used[i]) {
            match->rejected_one = false;
            status =
                settle_source(match, table, source->entries[i], target, &piles[SIDE_REJECT], error);
            wanted[i] = !match->rejected_one;
        }
    }
    for (uint32_t i = 0; i < target->count && status == STATUS_OK; i++) {
        if (!target->used[i] && table->owned && !match->ignore_extra) {
            status = add_extra(match, target->entries[i], error);
            extra++;
        }
    }
    bool crowded = status == STATUS_OK && match->crowded && match->repair != NULL;
    return crowded && match->record_count > lines
               ? crowded_repair(match, source, target, wanted, extra, error)
               : status;
}

static enum status match_group(void *context, const struct spill_group *group, struct error *error)
{
    struct match *match = context;
    const struct verify_table *table = &match->verify->tables[group->entries[0]->table];
    struct pile piles[3] = {{0}};
    uint8_t *used = calloc(group->count, 2); /* and which of the source are to be written */
    if (used == NULL) {
        return no_memory(error);
    }
    uint32_t at = 0;
    for (uint32_t side = SIDE_SOURCE; side <= SIDE_REJECT; side++) {
        piles[side].entries = group->entries + at;
        piles[side].used = used + at;
        while (at < group->count && group->entries[at]->side == side) {
            piles[side].count++;
            at++;
        }
    }
    enum status status = match_piles(match, table, piles, used + group->count, error);
    free(used);
    return status;
}

enum status match_all(struct match *match, struct error *error)
{
    return spill_walk(match->verify->spill, match_group, match, error);
}
