/* Entries into the files of their parts, and back, sorted. */
#include "verify/spill_parts.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/formats/typed_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PART_BYTES = 8 << 20,      /* about, so that one fits in memory with its list */
    PART_BYTES_MAX = 16 << 20, /* what is larger all the same is sorted by its file */
    PARTS_MIN = 4,
    PENDING_BYTES = 4 << 20, /* of all parts together, before they go to disk */
    SHOWN_BYTES_MAX = FORM_VALUE_BYTES_MAX,
    PRINTED_BYTES_MAX = 2 * SHOWN_BYTES_MAX,
    SHOWN_KEY_BYTES = 100,
    ENTRY_BYTES_MAX = 256 << 20
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to compare records");
}

static void make_hash(struct spill_part *part)
{
    part->hash = XXH3_createState();
    if (part->hash == NULL) {
        memory_exhausted(0);
    }
    XXH3_128bits_reset(part->hash);
}

struct spill *spill_make(const char *folder, uint32_t part_count, struct spill_options options)
{
    struct spill *spill = memory_allocate_zeroed(1, sizeof(*spill));
    struct spill_part *parts = memory_allocate_zeroed(part_count, sizeof(*parts));
    *spill = (struct spill){.folder = memory_copy_string(folder),
                            .parts = parts,
                            .options = options,
                            .part_count = part_count,
                            .pending_max = PENDING_BYTES / part_count};
    for (uint32_t i = 0; i < part_count; i++) {
        parts[i].file = -1;
        pthread_mutex_init(&parts[i].mutex, NULL);
        if (options.kept) {
            make_hash(&parts[i]);
        }
    }
    return spill;
}

enum status spill_create(const char *folder, uint64_t expected_bytes, struct spill_options options,
                         struct spill **made, struct error *error)
{
    uint64_t wanted = expected_bytes / PART_BYTES + 1;
    uint32_t count = wanted < PARTS_MIN         ? PARTS_MIN
                     : wanted > SPILL_PARTS_MAX ? SPILL_PARTS_MAX
                                                : (uint32_t)wanted;
    *made = NULL;
    if (file_remove_tree(folder, error) != STATUS_OK ||
        file_make_folder(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *made = spill_make(folder, count, options);
    return STATUS_OK;
}

void spill_free(struct spill *spill)
{
    for (uint32_t i = 0; i < spill->part_count; i++) {
        struct spill_part *part = &spill->parts[i];
        if (part->file >= 0) {
            close(part->file);
        }
        XXH3_freeState(part->hash);
        buffer_free(&part->pending);
        pthread_mutex_destroy(&part->mutex);
    }
    free(spill->parts);
    free(spill->folder);
    free(spill);
}

void spill_destroy(struct spill *spill)
{
    struct error ignored; /* the folder goes with the next validation */
    if (spill == NULL) {
        return;
    }
    enum status status = file_remove_tree(spill->folder, &ignored);
    (void)status;
    spill_free(spill);
}

/* ---------------------------------------------------------------- writing */

void spill_part_path(const struct spill *spill, const struct spill_part *part,
                     char path[SPILL_PATH_BYTES])
{
    snprintf(path, SPILL_PATH_BYTES, "%s/part-%u", spill->folder, (unsigned)(part - spill->parts));
}

enum status spill_flush(struct spill *spill, struct spill_part *part, struct error *error)
{
    char path[SPILL_PATH_BYTES];
    struct buffer *pending = &part->pending;
    spill_part_path(spill, part, path);
    if (part->broken) {
        return error_set(error, ERROR_STATE_WRITE, path, "records to be compared were not kept");
    }
    enum status status = failpoint_hit("verify.before_spilling", error);
    if (status == STATUS_OK && part->file < 0) {
        part->file = file_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        status = part->file >= 0 ? STATUS_OK
                                 : error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                                   "can't keep records to be compared");
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (file_write_all(part->file, pending->data, pending->length, path, error) != STATUS_OK) {
        /* The file ends where it ended before, so that the same can be tried again. */
        part->broken = ftruncate(part->file, (off_t)part->bytes) != 0 ||
                       lseek(part->file, (off_t)part->bytes, SEEK_SET) < 0;
        return STATUS_FAILED;
    }
    if (part->hash != NULL) {
        XXH3_128bits_update(part->hash, pending->data, pending->length);
    }
    part->bytes += pending->length;
    buffer_clear(pending);
    memset(part->recent, 0, sizeof(part->recent));
    return STATUS_OK;
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
    buffer_append_string(&object, spiller->spill->options.tables[table].plan->target.name);
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

/* Is the very same entry among those that came lately? Then it counts for one more. */
static bool count_again(const struct spill_part *part, const struct buffer *entry)
{
    struct spill_head head;
    memcpy(&head, entry->data, sizeof(head));
    uint32_t end = part->recent[head.hash.low % SPILL_RECENT];
    if (end == 0) {
        return false;
    }
    struct spill_head *kept = (struct spill_head *)(void *)(part->pending.data + end) - 1;
    head.count = kept->count;
    if (memcmp(kept, &head, sizeof(head)) != 0 ||
        memcmp(kept + 1, entry->data + sizeof(head), head.length - sizeof(head)) != 0) {
        return false;
    }
    kept->count++;
    return true;
}

/* With the part's mutex held. */
static enum status append_entry(struct spill *spill, struct spill_part *part,
                                const struct buffer *entry, struct error *error)
{
    struct buffer *pending = &part->pending;
    const struct spill_head *head = (const struct spill_head *)(const void *)entry->data;
    if (count_again(part, entry)) {
        return STATUS_OK;
    }
    size_t end = pending->length + sizeof(*head);
    if (!buffer_try_reserve(pending, entry->length)) {
        return no_memory(error);
    }
    buffer_append(pending, entry->data, entry->length);
    part->recent[head->hash.low % SPILL_RECENT] = (uint32_t)end;
    return pending->length >= spill->pending_max ? spill_flush(spill, part, error) : STATUS_OK;
}

enum status spiller_make(struct spiller *spiller, struct spill_head head,
                         const struct former *former, const struct record_form *form,
                         const struct spill_head **made, struct error *error)
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
    bool lacks_memory = false;
    if (status == STATUS_OK && spiller->spill->options.records && head.side == SIDE_SOURCE) {
        status = append_record(spiller, former, error);
        lacks_memory = status != STATUS_OK && error->code == ERROR_MEMORY;
    }
    head.record_length = (uint32_t)(out->length - before);
    while (out->length % 8 != 0) {
        buffer_append_byte(out, ' ');
    }
    if (status != STATUS_OK && !lacks_memory) {
        return status;
    }
    if (lacks_memory || out->length > ENTRY_BYTES_MAX) {
        cant_keep(spiller, head.table, former, form, error);
        return STATUS_FAILED;
    }
    head.length = (uint32_t)out->length;
    head.count = 1;
    head.key = former->key;
    head.hash = former->hash;
    memcpy(out->data, &head, sizeof(head));
    *made = spill_entry(out->data, 0);
    return STATUS_OK;
}

enum status spiller_add(struct spiller *spiller, struct spill_head head,
                        const struct former *former, const struct record_form *form,
                        struct error *error)
{
    const struct spill_head *made = NULL;
    enum status status = spiller_make(spiller, head, former, form, &made, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct spill *spill = spiller->spill;
    uint64_t place = made->key.high ^ (uint64_t)made->table * 0x9E3779B97F4A7C15u;
    struct spill_part *part = &spill->parts[place % spill->part_count];
    pthread_mutex_lock(&part->mutex);
    status = append_entry(spill, part, &spiller->entry, error);
    pthread_mutex_unlock(&part->mutex);
    return status;
}

void spiller_free(struct spiller *spiller)
{
    buffer_free(&spiller->entry);
}

/* ---------------------------------------------------------------- reading */

static enum status walk_bytes(const struct spill *spill, const char *bytes, uint64_t length,
                              spill_group_function *function, void *context, struct error *error)
{
    struct spill_list list;
    spill_list_sort(bytes, length, &spill->options, &list);
    enum status status = spill_list_walk(&list, function, context, error);
    free(list.entries);
    return status;
}

static enum status walk_file(const struct spill *spill, int file, uint64_t length, bool is_sorted,
                             spill_group_function *function, void *context, struct error *error)
{
    if (length == 0) {
        return STATUS_OK;
    }
    void *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, spill->folder,
                               "can't read the records to be compared");
    }
    const struct spill_list sorted = {.bytes = bytes, .end = length};
    enum status status = is_sorted ? spill_list_walk(&sorted, function, context, error)
                                   : walk_bytes(spill, bytes, length, function, context, error);
    munmap(bytes, length);
    return status;
}

/* The sorted entries take the place of a part on disk, or, if that is kept, stand beside it until
 * it was gone through. */
static enum status walk_large(const struct spill *spill, struct spill_part *part,
                              spill_group_function *function, void *context, struct error *error)
{
    int file = spill->options.kept ? fcntl(part->file, F_DUPFD_CLOEXEC, 0) : part->file;
    uint64_t length = part->bytes;
    if (file < 0) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, spill->folder,
                               "can't read the records to be compared");
    }
    enum status status =
        spill_sort_file(spill->folder, PART_BYTES, &spill->options, &file, &length, error);
    if (!spill->options.kept) {
        part->file = file;
        part->bytes = length;
    }
    if (status == STATUS_OK) {
        status = walk_file(spill, file, length, true, function, context, error);
    }
    if (spill->options.kept && file >= 0) {
        close(file);
    }
    return status;
}

static enum status walk_part(struct spill *spill, struct spill_part *part,
                             spill_group_function *function, void *context, struct error *error)
{
    if (failpoint_hit("verify.before_matching", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (part->file < 0) { /* all of it is in memory */
        return walk_bytes(spill, part->pending.data, part->pending.length, function, context,
                          error);
    }
    if (spill_flush(spill, part, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return part->bytes > PART_BYTES_MAX
               ? walk_large(spill, part, function, context, error)
               : walk_file(spill, part->file, part->bytes, false, function, context, error);
}

enum status spill_walk(struct spill *spill, spill_group_function *function, void *context,
                       struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < spill->part_count && status == STATUS_OK; i++) {
        status = walk_part(spill, &spill->parts[i], function, context, error);
    }
    return status;
}
