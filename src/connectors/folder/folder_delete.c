/*
 * Taking records out by key, for a repair: files are read for these keys, and those that hold one
 * are written again without it. What the claimed run itself wrote is left alone: a repair that goes
 * on after a crash takes out once more what it may have written already in its place.
 */
#include "connectors/folder/folder_claim.h"

#include "base/file.h"
#include "base/memory.h"
#include "connectors/folder/folder_rewrite.h"
#include <stdlib.h>
#include <xxhash.h>

struct deleting {
    struct folder *folder;
    const struct target_table *table;
    struct arena *arena;   /* names of files */
    struct arena *scratch; /* the record in hand */
    struct buffer text;
    XXH128_hash_t *keys; /* sorted */
    uint32_t key_count;
};

static int compare_hashes(const void *left, const void *right)
{
    return XXH128_cmp(left, right);
}

/* ---------------------------------------------------------------- keys */

static enum status hash_key(struct deleting *deleting, const struct cell *key, XXH128_hash_t *hash,
                            struct error *error)
{
    buffer_clear(&deleting->text);
    if (folder_key_append(deleting->folder, deleting->table, key, deleting->scratch,
                          &deleting->text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *hash = XXH3_128bits(deleting->text.data, deleting->text.length);
    return STATUS_OK;
}

static enum status take_keys(struct deleting *deleting, const struct cell *keys, uint32_t key_count,
                             struct error *error)
{
    uint32_t width = deleting->table->key.count;
    deleting->keys = memory_allocate_zeroed((size_t)key_count + 1, sizeof(*deleting->keys));
    for (uint32_t at = 0; at < key_count; at++) {
        arena_reset(deleting->scratch);
        if (hash_key(deleting, keys + (size_t)at * width, &deleting->keys[at], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    deleting->key_count = key_count;
    qsort(deleting->keys, key_count, sizeof(*deleting->keys), compare_hashes);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- files */

/* A line that is no record, or a record without its key, has none of these keys. */
static enum status has_key(void *context, struct folder_decoder *decoder, uint64_t number,
                           const char *bytes, size_t length, bool *leave, struct error *error)
{
    struct deleting *deleting = context;
    struct cell record;
    struct cell key[FOLDER_KEY_PARTS_MAX];
    XXH128_hash_t hash;
    (void)number;
    *leave = false;
    arena_reset(deleting->scratch);
    enum status status = deleting->folder->format->raw_read(decoder, bytes, length,
                                                            deleting->scratch, &record, error);
    status = status == STATUS_OK ? folder_key_find(deleting->table, &record, key) : status;
    status = status == STATUS_OK ? hash_key(deleting, key, &hash, error) : status;
    if (status != STATUS_OK) {
        return status == STATUS_FAILED && error->code == ERROR_MEMORY ? STATUS_FAILED : STATUS_OK;
    }
    *leave =
        bsearch(&hash, deleting->keys, deleting->key_count, sizeof(hash), compare_hashes) != NULL;
    return STATUS_OK;
}

static enum status look_for_keys(struct deleting *deleting, const char *path, bool *found,
                                 struct error *error)
{
    const struct folder_format *format = deleting->folder->format;
    struct folder_decoder *decoder = NULL;
    enum status status =
        folder_segment_open(deleting->folder, deleting->table->name, path, &decoder, error);
    *found = false;
    for (uint64_t number = 0; status == STATUS_OK && !*found; number++) {
        const char *bytes = NULL;
        size_t length = 0;
        status = format->raw_next(decoder, &bytes, &length, error);
        if (status == STATUS_OK) {
            status = has_key(deleting, decoder, number, bytes, length, found, error);
        }
    }
    format->decoder_close(decoder);
    if (status == STATUS_FAILED) {
        error_hint(error, "this file was not changed; mend it or move it away, then `transhume "
                          "resume`");
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status clean_file(struct deleting *deleting, const char *table_path, const char *file,
                              uint64_t *deleted, struct error *error)
{
    bool found = false;
    char *path = file_join(deleting->arena, table_path, file);
    struct folder_rewriting rewriting = {.folder = deleting->folder,
                                         .arena = deleting->arena,
                                         .table = deleting->table->name,
                                         .table_path = table_path,
                                         .file = file,
                                         .keeps = true,
                                         .leaves = has_key,
                                         .context = deleting};
    enum status status = look_for_keys(deleting, path, &found, error);
    if (status == STATUS_OK && found) {
        status = folder_rewrite(&rewriting, error);
        *deleted += rewriting.left_out;
    }
    return status;
}

static enum status clean_table(struct deleting *deleting, uint64_t *deleted, struct error *error)
{
    const struct folder *folder = deleting->folder;
    struct folder_file *files = NULL;
    uint32_t count = 0;
    char *path = folder_table_path(deleting->arena, folder, deleting->table->name);
    enum status status = folder_list(folder->format, path, deleting->arena, &files, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        uint64_t chunk;
        uint32_t entity;
        uint32_t part;
        if (!folder_segment_parse(folder->format, files[at].name, folder->run.tag, &chunk, &entity,
                                  &part)) {
            status = clean_file(deleting, path, files[at].name, deleted, error);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status folder_delete_records(struct database *self, const struct target_table *table,
                                  const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                  struct error *error)
{
    struct deleting deleting = {.folder = (struct folder *)self,
                                .table = table,
                                .arena = arena_create(0),
                                .scratch = arena_create(0)};
    const struct folder_run *run = &deleting.folder->run;
    enum status status = STATUS_OK;
    *deleted = 0;
    if (run->id == NULL || table->key.count == 0) {
        status = error_set(error, ERROR_INTERNAL, table->name,
                           "records are taken out by key, in a claimed run");
    } else {
        status = folder_check_claim(deleting.folder, error);
    }
    status = status == STATUS_OK ? take_keys(&deleting, keys, key_count, error) : status;
    status = status == STATUS_OK ? clean_table(&deleting, deleted, error) : status;
    free(deleting.keys);
    buffer_free(&deleting.text);
    arena_destroy(deleting.scratch);
    arena_destroy(deleting.arena);
    return status;
}
