/* Entries into the files of their parts, and back, sorted. */
#include "verify/spill.h"

#include "base/file.h"
#include "engine/typed_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    PART_BYTES = 8 << 20, /* about, so that one fits in memory with its list */
    PARTS_MIN = 4,
    PARTS_MAX = 256,
    PENDING_BYTES = 4 << 20, /* of all parts together, before they go to disk */
    SHOWN_BYTES_MAX = FORM_VALUE_BYTES_MAX,
    PRINTED_BYTES_MAX = 2 * SHOWN_BYTES_MAX,
    SHOWN_KEY_BYTES = 100,
    ENTRY_BYTES_MAX = 256 << 20
};

struct part {
    pthread_mutex_t mutex;
    int file; /* -1: nothing is in it */
    uint64_t bytes;
    struct buffer pending;
};
struct spill {
    char *folder;
    const struct verify_table *tables;
    struct spill_options options;
    size_t pending_max; /* of one part */
    uint32_t part_count;
    struct part *parts;
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to compare records");
}

enum status spill_create(const char *folder, uint64_t expected_bytes, struct spill_options options,
                         struct spill **made, struct error *error)
{
    uint64_t wanted = expected_bytes / PART_BYTES + 1;
    uint32_t count = wanted < PARTS_MIN   ? PARTS_MIN
                     : wanted > PARTS_MAX ? PARTS_MAX
                                          : (uint32_t)wanted;
    struct spill *spill = calloc(1, sizeof(*spill));
    struct part *parts = calloc(count, sizeof(*parts));
    *made = NULL;
    if (file_remove_tree(folder, error) != STATUS_OK ||
        file_make_folder(folder, error) != STATUS_OK) {
        free(spill);
        free(parts);
        return STATUS_FAILED;
    }
    char *copy = strdup(folder);
    if (spill == NULL || parts == NULL || copy == NULL) {
        free(spill);
        free(parts);
        free(copy);
        return no_memory(error);
    }
    spill->folder = copy;
    spill->parts = parts;
    spill->tables = options.tables;
    spill->options = options;
    spill->part_count = count;
    spill->pending_max = PENDING_BYTES / count;
    for (uint32_t i = 0; i < count; i++) {
        spill->parts[i].file = -1;
        pthread_mutex_init(&spill->parts[i].mutex, NULL);
    }
    *made = spill;
    return STATUS_OK;
}

void spill_destroy(struct spill *spill)
{
    struct error ignored; /* the folder goes with the next validation */
    if (spill == NULL) {
        return;
    }
    for (uint32_t i = 0; i < spill->part_count; i++) {
        struct part *part = &spill->parts[i];
        if (part->file >= 0) {
            close(part->file);
        }
        buffer_free(&part->pending);
        pthread_mutex_destroy(&part->mutex);
    }
    enum status status = file_remove_tree(spill->folder, &ignored);
    (void)status;
    free(spill->parts);
    free(spill->folder);
    free(spill);
}

/* ---------------------------------------------------------------- writing */

/* With the part's mutex held. */
static enum status flush(struct spill *spill, struct part *part, struct error *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/part-%u", spill->folder, (unsigned)(part - spill->parts));
    if (part->file < 0) {
        part->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (part->file < 0) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                   "can't keep records to be compared");
        }
    }
    if (part->pending.failed) {
        return no_memory(error);
    }
    enum status status =
        file_write_all(part->file, part->pending.data, part->pending.length, path, error);
    part->bytes += part->pending.length;
    buffer_clear(&part->pending);
    return status;
}

static enum status append_key(struct spiller *spiller, const struct former *former,
                              const struct record_form *form, struct error *error)
{
    struct buffer *out = &spiller->entry;
    const char *separator = "{";
    uint32_t count = former->has_key ? form->key.count : former->count;
    for (uint32_t i = 0; i < count; i++) {
        const struct former_field *field = &former->fields[i];
        if (former->has_key) {
            field = former_find(former, form->key.names[i], strlen(form->key.names[i]));
        }
        struct cell name = cell_text(field->name, field->name_length);
        buffer_append_string(out, separator);
        separator = ",";
        if (typed_json_append(&name, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, ':');
        if (typed_json_append(&field->value, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_string(out, count == 0 ? "{}" : "}");
    return STATUS_OK;
}

static void append_field(struct spiller *spiller, const struct former *former,
                         const struct former_field *field, struct buffer *shown)
{
    struct buffer *out = &spiller->entry;
    const char *value = former->bytes.data + field->begin;
    uint32_t length = (uint32_t)(field->end - field->begin);
    uint16_t name_length =
        (uint16_t)(field->name_length < UINT16_MAX ? field->name_length : UINT16_MAX);
    uint64_t hash = XXH3_64bits(value, length);
    buffer_clear(shown);
    value_print(&field->value, SHOWN_BYTES_MAX, shown);
    uint8_t kind = field->value.kind;
    uint32_t shown_length =
        (uint32_t)(shown->length < PRINTED_BYTES_MAX ? shown->length : PRINTED_BYTES_MAX);
    buffer_append(out, &name_length, sizeof(name_length));
    buffer_append(out, field->name, name_length);
    buffer_append(out, &hash, sizeof(hash));
    buffer_append(out, &kind, sizeof(kind));
    buffer_append(out, &shown_length, sizeof(shown_length));
    buffer_append(out, shown->data, shown_length);
    if (!spiller->spill->options.values) {
        length = UINT32_MAX; /* not kept */
    }
    buffer_append(out, &length, sizeof(length));
    if (length != UINT32_MAX) {
        buffer_append(out, value, length);
    }
}

/* As it was made or read, not in normal form: a repair writes it. */
static enum status append_record(struct spiller *spiller, const struct former *former,
                                 struct error *error)
{
    struct buffer *out = &spiller->entry;
    for (uint32_t i = 0; i < former->count; i++) {
        const struct former_field *field = &former->fields[i];
        struct cell name = cell_text(field->name, field->name_length);
        buffer_append_byte(out, i == 0 ? '{' : ',');
        if (typed_json_append(&name, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, ':');
        if (typed_json_append(field->raw, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_string(out, former->count == 0 ? "{}" : "}");
    return STATUS_OK;
}

/* Its entry can't be made: of what is longer than it may be, or is there no memory? */
static enum status cant_keep(const struct spiller *spiller, uint32_t table,
                             const struct former *former, const struct record_form *form,
                             struct error *error)
{
    struct buffer object = {0};
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < former->count; i++) {
        const struct cell *raw = former->fields[i].raw;
        bytes += raw->kind == VALUE_LARGE ? raw->large->length : value_bytes(raw);
    }
    if (bytes < ENTRY_BYTES_MAX / 2) {
        return no_memory(error);
    }
    buffer_append_string(&object, spiller->spill->tables[table].plan->target.name);
    for (uint32_t i = 0; i < form->key.count; i++) {
        const char *name = form->key.names[i];
        const struct former_field *field = former_find(former, name, strlen(name));
        buffer_format(&object, "%s%s ", i == 0 ? ", " : " ", name);
        if (field != NULL) {
            value_print(&field->value, SHOWN_KEY_BYTES, &object);
        }
    }
    error_set(error, ERROR_NOT_REPAIRABLE, buffer_string(&object),
              "the record has %" PRIu64
              " MiB, and as a line of a repair it may have 256 (bytes take four "
              "thirds there)",
              bytes >> 20);
    error_hint(error,
               "nothing was changed; write this record by other means, or leave its table out "
               "with --exclude, and say `transhume validate --repair` again");
    buffer_free(&object);
    return STATUS_FAILED;
}

static void pad(struct buffer *out)
{
    while (out->length % 8 != 0 && !out->failed) {
        buffer_append_byte(out, ' ');
    }
}

enum status spiller_add(struct spiller *spiller, struct spill_head head,
                        const struct former *former, const struct record_form *form,
                        struct error *error)
{
    struct buffer *out = &spiller->entry;
    struct buffer shown = {0};
    buffer_clear(out);
    buffer_append(out, &head, sizeof(head));
    enum status status = append_key(spiller, former, form, error);
    head.key_length = (uint32_t)(out->length - sizeof(head));
    for (uint32_t i = 0; i < former->count && status == STATUS_OK; i++) {
        append_field(spiller, former, &former->fields[i], &shown);
    }
    buffer_free(&shown);
    head.field_count = former->count;
    head.fields_length = (uint32_t)(out->length - sizeof(head)) - head.key_length;
    size_t before = out->length;
    if (status == STATUS_OK && spiller->spill->options.records && head.side == SIDE_SOURCE) {
        status = append_record(spiller, former, error);
    }
    head.record_length = (uint32_t)(out->length - before);
    pad(out);
    if (status != STATUS_OK || out->failed || out->length > ENTRY_BYTES_MAX) {
        return status != STATUS_OK ? status : cant_keep(spiller, head.table, former, form, error);
    }
    head.length = (uint32_t)out->length;
    head.key = former->key;
    head.hash = former->hash;
    memcpy(out->data, &head, sizeof(head));
    struct spill *spill = spiller->spill;
    uint64_t place = head.key.high ^ (uint64_t)head.table * 0x9E3779B97F4A7C15u;
    struct part *part = &spill->parts[place % spill->part_count];
    pthread_mutex_lock(&part->mutex);
    buffer_append(&part->pending, out->data, out->length);
    if (part->pending.length >= spill->pending_max || part->pending.failed) {
        status = flush(spill, part, error);
    }
    pthread_mutex_unlock(&part->mutex);
    return status;
}

void spiller_free(struct spiller *spiller)
{
    buffer_free(&spiller->entry);
}

/* ---------------------------------------------------------------- reading */

void spill_field_read(const char **at, struct spill_field *field)
{
    const char *from = *at;
    uint16_t length;
    memcpy(&length, from, sizeof(length));
    field->name = from + sizeof(length);
    field->name_length = length;
    from = field->name + length;
    memcpy(&field->hash, from, sizeof(field->hash));
    from += sizeof(field->hash);
    memcpy(&field->kind, from, sizeof(field->kind));
    from += sizeof(field->kind);
    memcpy(&field->shown_length, from, sizeof(field->shown_length));
    field->shown = from + sizeof(field->shown_length);
    from = field->shown + field->shown_length;
    memcpy(&field->value_length, from, sizeof(field->value_length));
    from += sizeof(field->value_length);
    field->value = field->value_length == UINT32_MAX ? NULL : from;
    *at = from + (field->value == NULL ? 0 : field->value_length);
}

static int compare_hashes(const struct canonical_hash *a, const struct canonical_hash *b)
{
    if (a->high != b->high) {
        return a->high < b->high ? -1 : 1;
    }
    return a->low < b->low ? -1 : a->low > b->low;
}

static int compare_keys(const struct spill_head *a, const struct spill_head *b)
{
    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }
    return compare_hashes(&a->key, &b->key);
}

static int compare_entries(const void *left, const void *right)
{
    const struct spill_head *a = *(const struct spill_head *const *)left;
    const struct spill_head *b = *(const struct spill_head *const *)right;
    int order = compare_keys(a, b);
    if (order == 0) {
        order = (int)a->side - (int)b->side;
    }
    return order != 0 ? order : compare_hashes(&a->hash, &b->hash);
}

static enum status walk_entries(const char *bytes, uint64_t length,
                                enum status (*group)(void *context, const struct spill_group *,
                                                     struct error *),
                                void *context, struct error *error)
{
    uint64_t count = 0;
    for (uint64_t at = 0; at < length; count++) {
        at += ((const struct spill_head *)(const void *)(bytes + at))->length;
    }
    const struct spill_head **entries = calloc(count + 1, sizeof(struct spill_head *));
    if (entries == NULL || count > UINT32_MAX) {
        free(entries);
        return no_memory(error);
    }
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        entries[i] = (const struct spill_head *)(const void *)(bytes + at);
        at += entries[i]->length;
    }
    qsort(entries, count, sizeof(struct spill_head *), compare_entries);
    enum status status = STATUS_OK;
    for (uint64_t begin = 0; begin < count && status == STATUS_OK;) {
        uint64_t end = begin + 1;
        while (end < count && compare_keys(entries[begin], entries[end]) == 0) {
            end++;
        }
        struct spill_group one = {.entries = entries + begin, .count = (uint32_t)(end - begin)};
        status = group(context, &one, error);
        begin = end;
    }
    free(entries);
    return status;
}

enum status spill_walk(struct spill *spill,
                       enum status (*group)(void *context, const struct spill_group *group,
                                            struct error *error),
                       void *context, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < spill->part_count && status == STATUS_OK; i++) {
        struct part *part = &spill->parts[i];
        if (part->file < 0) { /* all of it is in memory */
            status = part->pending.failed ? no_memory(error)
                                          : walk_entries(part->pending.data, part->pending.length,
                                                         group, context, error);
            continue;
        }
        status = flush(spill, part, error);
        void *bytes = status != STATUS_OK
                          ? MAP_FAILED
                          : mmap(NULL, part->bytes, PROT_READ, MAP_PRIVATE, part->file, 0);
        if (status == STATUS_OK && bytes == MAP_FAILED) {
            status = error_set_errno(error, ERROR_STATE_INVALID, errno, spill->folder,
                                     "can't read the records to be compared");
        }
        if (status == STATUS_OK) {
            status = walk_entries(bytes, part->bytes, group, context, error);
            munmap(bytes, part->bytes);
        }
    }
    return status;
}
