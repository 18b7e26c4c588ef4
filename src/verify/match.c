/* The matching of one key's records, and a line for each difference. */
#include "verify/match.h"
#include "base/file.h"

#include "plan/mapping.h"
#include "verify/key_group.h"
#include "verify/repair.h"
#include "verify/show.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

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
        file_open(verify->record_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
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

/* A column that the record's entity fills, also where the record has nothing in it. */
static bool is_filled(const struct verify *verify, const struct spill_head *source,
                      const struct spill_field *field)
{
    const struct record_form *form = &verify->entities[source->entity].form;
    bool free_fields = (verify->session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    for (uint32_t i = 0; i < form->field_count && !free_fields; i++) {
        if (form->fields[i].name_length == field->name_length &&
            memcmp(form->fields[i].name, field->name, field->name_length) == 0) {
            return true;
        }
    }
    return false;
}

/* Is a field that only the target has none of those that the source's record was made with? */
static bool is_others(const struct verify *verify, const struct spill_head *source,
                      const struct spill_field *field)
{
    return verify->tables[source->table].restricted && !is_filled(verify, source, field);
}

/* Has the target's record something in a column of another entity, which an upsert leaves alone? */
static bool is_beyond_repair(const struct verify *verify, const struct spill_head *source,
                             const struct spill_head *target)
{
    const struct plan_table *table = verify->tables[source->table].plan;
    const char *at = spill_fields(target);
    bool found = false;
    if (table->target.existing != EXISTING_UPSERT || table->entity_count == 1 ||
        verify->documents) {
        return false;
    }
    for (uint32_t i = 0; i < target->field_count && !found; i++) {
        struct spill_field field;
        spill_field_read(&at, &field);
        found = !is_filled(verify, source, &field) && !is_others(verify, source, &field);
    }
    return found;
}

/* Walks both lists of fields, which are in one order. */
bool match_compare_fields(const struct verify *verify, const struct spill_head *source,
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
        bool in_source = i < source->field_count;
        bool in_target = j < target->field_count;
        if (in_source) {
            spill_field_read(&left_next, &a);
        }
        if (in_target) {
            spill_field_read(&right_next, &b);
        }
        int order = !in_source ? 1 : !in_target ? -1 : spill_compare_names(&a, &b);
        bool differs = order < 0 || (order > 0 && !is_others(verify, source, &b)) ||
                       (order == 0 && spill_compare_values(&a, &b) != 0);
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
    match_compare_fields(match->verify, source, target, &match->line);
    buffer_append_byte(&match->line, ']');
    if (end_line(match, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!repairs(match)) {
        return STATUS_OK;
    }
    match->repair->kept_count += is_beyond_repair(match->verify, source, target);
    return repair_write(match->repair, source, true, error);
}

enum status match_add_unreadable(struct match *match, const struct verify_table *table,
                                 struct error *error)
{
    uint64_t count = atomic_load(&table->unreadable);
    uint32_t row = table->plan->entity_count == 1 ? table->plan->entities[0]
                                                  : match->verify->entity_count + table->number;
    match->entities[row].unreadable += count;
    for (size_t at = 0; at < table->named.length;) {
        const char *line = table->named.data + at;
        size_t length = (size_t)((const char *)memchr(line, '\n', table->named.length - at) - line);
        if (begin_line(match, row, "unreadable", NULL, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append(&match->line, line, length);
        if (end_line(match, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        at += length + 1;
    }
    if (count <= table->named_count) {
        return STATUS_OK;
    }
    if (begin_line(match, row, "unreadable", NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&match->line, ",\"count\":%" PRIu64, count - table->named_count);
    return end_line(match, error);
}

/* ---------------------------------------------------------------- one key */

struct walk {
    struct match *match;
    const struct verify_table *table;
    bool asks; /* nothing was read under the key: the target may spell it in another way */
    struct key_group source;
    struct key_group target;
    struct key_group rejects;
    uint64_t refused; /* of these, those that the source's side does not have */
    bool is_free;     /* the target has nothing under the key */
    bool is_lone;     /* either side has one record under it */
    const struct spill_head *reject;
    struct unmatched unmatched;
};

/* The source's records of one kind, and what is there of them. */
struct kind {
    const struct spill_head *entry;
    uint64_t equal;
    uint64_t rejected;
    uint64_t rest;
};

static void walk_begin(struct match *match, const struct spill_group *group, struct walk *walk)
{
    const struct verify *verify = match->verify;
    *walk = (struct walk){.match = match, .table = &verify->tables[group->first->table]};
    walk->refused = group->counts[SIDE_REJECT];
    walk->is_free = group->counts[SIDE_TARGET] == 0;
    walk->is_lone = group->counts[SIDE_TARGET] == 1 && group->counts[SIDE_SOURCE] == 1;
    walk->reject = walk->refused > 0 ? spill_peek(&group->sides[SIDE_REJECT]) : NULL;
    walk->asks =
        group->counts[SIDE_TARGET] == 0 && spelling_is_possible(match->verify, walk->table);
    key_group_begin(&walk->source, verify, &group->sides[SIDE_SOURCE]);
    key_group_begin(&walk->target, verify, &group->sides[SIDE_TARGET]);
    key_group_begin(&walk->rejects, verify, &group->sides[SIDE_REJECT]);
}

static bool next_kind(struct walk *walk, struct kind *kind)
{
    const struct spill_head *entry = walk->source.entry;
    uint64_t count = walk->source.left;
    if (entry == NULL) {
        return false;
    }
    *kind = (struct kind){.entry = entry};
    kind->equal = key_group_take_equal(&walk->target, entry, count);
    kind->rejected = key_group_take_equal(&walk->rejects, entry, count - kind->equal);
    kind->rest = count - kind->equal - kind->rejected;
    walk->refused -= kind->rejected;
    key_group_next(&walk->source);
    return true;
}

/* Equal records of the source that `distinct` makes one go out of its sums. */
static enum status collapse(struct match *match, const struct spill_group *group,
                            struct error *error)
{
    struct key_group source;
    enum status status = STATUS_OK;
    for (key_group_begin(&source, match->verify, &group->sides[SIDE_SOURCE]);
         source.entry != NULL && status == STATUS_OK; key_group_next(&source)) {
        match->collapsed[source.entry->entity] += source.collapsed;
        status = verify_take_off(match->verify, source.entry, source.collapsed, error);
    }
    return status;
}

static enum status settle_pair(struct match *match, const struct spill_head *source,
                               const struct spill_head *target, struct error *error)
{
    if (match->verify->tables[source->table].keys_only) {
        match->entities[source->entity].kept++;
        return STATUS_OK;
    }
    return add_different(match, source, target, error);
}

/* The record that the target has under its own spelling of the key. */
static enum status settle_spelled(void *context, const struct spill_head *source,
                                  const struct spill_head *target, struct error *error)
{
    struct match *match = context;
    match->crowded = false;
    if (target == NULL) {
        return add_missing(match, source, error);
    }
    return match_compare_fields(match->verify, source, target, NULL)
               ? STATUS_OK
               : settle_pair(match, source, target, error);
}

/* One that neither has an equal one nor is known as a reject. */
static enum status match_settle(struct walk *walk, const struct spill_head *source,
                                struct error *error)
{
    const struct spill_head *other;
    if (spill_is_keyed(source) && walk->asks) {
        return spelling_note(&walk->match->spelling, source, error);
    }
    if (!spill_is_keyed(source) || !unmatched_take(&walk->unmatched, &other)) {
        return add_missing(walk->match, source, error);
    }
    return settle_pair(walk->match, source, other, error);
}

/* A known reject of whose key the target may have another spelling: then another record of the
 * source has it, and the reject stays. */
static enum status settle_spelled_reject(void *context, const struct spill_head *source,
                                         const struct spill_head *target, struct error *error)
{
    struct match *match = context;
    match->crowded = false;
    if (target == NULL) {
        return add_missing(match, source, error);
    }
    match->entities[source->entity].rejected++;
    return repair_leave(match->repair, source, ERROR_REJECT_KEY_DUPLICATE, error);
}

static enum status retry_one(struct walk *walk, const struct spill_head *source,
                             struct error *error)
{
    return spill_is_keyed(source) && walk->asks
               ? spelling_note(&walk->match->rejects_spelling, source, error)
               : match_settle(walk, source, error);
}

/* A constraint refused it, which may be a foreign key. A repair would write it without what it
 * refers to, which is no record of the source: it stays a reject. Changes that are applied are
 * refused as they were. */
static bool lacks_partner(const struct walk *walk)
{
    const struct verify *verify = walk->match->verify;
    return walk->reject != NULL && walk->reject->attempt == ERROR_REJECT_CONSTRAINT &&
           !verify->options.lists && walk->table->actual != NULL &&
           walk->table->actual->foreign_key_count > 0;
}

/* A repair tries a known reject again where the target has nothing under its key, or a record that
 * an update did not reach. Else another record of the source has the key, and the reject stays. */
static enum status retry_rejected(struct walk *walk, const struct kind *kind, uint64_t loaded,
                                  struct error *error)
{
    struct match *match = walk->match;
    bool tries = (walk->is_free || (walk->is_lone && loaded == 0)) && !lacks_partner(walk);
    uint64_t stays = tries ? loaded : kind->rejected;
    enum status status = STATUS_OK;
    match->entities[kind->entry->entity].rejected += stays;
    for (uint64_t i = loaded; i < kind->rejected && status == STATUS_OK; i++) {
        status = tries ? retry_one(walk, kind->entry, error)
                       : repair_leave(match->repair, kind->entry,
                                      lacks_partner(walk) ? ERROR_REJECT_CONSTRAINT
                                                          : ERROR_REJECT_KEY_DUPLICATE,
                                      error);
    }
    return status;
}

static enum status settle_rejected(struct walk *walk, const struct kind *kind, struct error *error)
{
    struct match *match = walk->match;
    struct verify_entity_result *row = &match->entities[kind->entry->entity];
    bool mended = match->verify->mended;
    bool repairs = match->repair != NULL;
    const struct spill_head *other;
    uint64_t kept =
        0; /* what was loaded in its place; or the record that an update did not reach */
    while ((mended || (walk->is_lone && !repairs)) && kept < kind->rejected &&
           unmatched_take(&walk->unmatched, &other)) {
        kept++;
    }
    row->kept += mended ? kept : 0;
    row->loaded += mended ? kept : 0;
    row->outdated += mended ? 0 : kept;
    if (repairs) {
        return retry_rejected(walk, kind, kept, error);
    }
    row->rejected += kind->rejected;
    return verify_take_off(match->verify, kind->entry, kind->rejected - kept, error);
}

static enum status settle_kind(struct walk *walk, const struct kind *kind, struct error *error)
{
    enum status status = settle_rejected(walk, kind, error);
    for (uint64_t i = 0; i < kind->rest && status == STATUS_OK; i++) {
        status = match_settle(walk, kind->entry, error);
    }
    return status;
}

/* Records that the mapping refuses, and that were mended and loaded. */
static void settle_loaded(struct walk *walk)
{
    const struct spill_head *other;
    while (walk->match->verify->mended && walk->refused > 0 &&
           unmatched_take(&walk->unmatched, &other)) {
        walk->refused--;
        walk->match->entities[walk->reject->entity].kept++;
        walk->match->entities[walk->reject->entity].loaded++;
    }
}

static enum status settle_extra(struct walk *walk, uint64_t *extra, struct error *error)
{
    const struct spill_head *other;
    enum status status = STATUS_OK;
    *extra = 0;
    while (walk->table->owned && !walk->match->ignore_extra && status == STATUS_OK &&
           unmatched_take(&walk->unmatched, &other)) {
        status = add_extra(walk->match, other, error);
        ++*extra;
    }
    return status;
}

/*
 * A target that does not enforce its keys may hold several records under one: none of them can be
 * taken out alone. All of them go, and what the source has is written again; where extra ones are
 * to stay, so do all of the key.
 */
static enum status crowded_repair(struct match *match, const struct spill_group *group,
                                  uint64_t extra, struct error *error)
{
    struct walk walk;
    struct kind kind;
    if (extra > 0 && !match->verify->options.delete_extra) {
        match->repair->left_count += extra;
        return STATUS_OK;
    }
    enum status status =
        repair_clear_key(match->repair, spill_peek(&group->sides[SIDE_TARGET]), error);
    walk_begin(match, group, &walk);
    while (status == STATUS_OK && next_kind(&walk, &kind)) {
        for (uint64_t i = 0; i < kind.equal + kind.rest && status == STATUS_OK; i++) {
            status = repair_write(match->repair, kind.entry, false, error);
        }
    }
    return status;
}

static bool is_even(struct match *match, const struct spill_group *group)
{
    struct walk walk;
    struct kind kind;
    uint64_t equal = 0;
    walk_begin(match, group, &walk);
    while (next_kind(&walk, &kind)) {
        if (kind.rejected + kind.rest > 0) {
            return false;
        }
        equal += kind.equal;
    }
    return equal == group->counts[SIDE_TARGET];
}

static enum status match_group(void *context, const struct spill_group *group, struct error *error)
{
    struct match *match = context;
    struct walk walk;
    struct kind kind;
    uint64_t lines = match->record_count;
    uint64_t extra = 0;
    enum status status = STATUS_OK;
    if (match->verify->tables[group->first->table].distinct &&
        collapse(match, group, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_even(match, group)) {
        return STATUS_OK;
    }
    match->crowded = group->counts[SIDE_TARGET] > 1 && spill_is_keyed(group->first);
    walk_begin(match, group, &walk);
    unmatched_begin(&walk.unmatched, match->verify, group);
    while (status == STATUS_OK && next_kind(&walk, &kind)) {
        status = settle_kind(&walk, &kind, error);
    }
    settle_loaded(&walk);
    status = status == STATUS_OK ? settle_extra(&walk, &extra, error) : status;
    bool crowded = status == STATUS_OK && match->crowded && match->repair != NULL;
    return crowded && match->record_count > lines ? crowded_repair(match, group, extra, error)
                                                  : status;
}

enum status match_all(struct match *match, struct error *error)
{
    match->spelling =
        (struct spelling){.verify = match->verify, .settle = settle_spelled, .context = match};
    match->rejects_spelling = (struct spelling){
        .verify = match->verify, .settle = settle_spelled_reject, .context = match};
    enum status status = spill_walk(match->verify->spill, match_group, match, error);
    status = status == STATUS_OK ? spelling_flush(&match->spelling, error) : status;
    status = status == STATUS_OK ? spelling_flush(&match->rejects_spelling, error) : status;
    spelling_tell(&match->spelling);
    spelling_free(&match->spelling);
    spelling_free(&match->rejects_spelling);
    return status;
}
