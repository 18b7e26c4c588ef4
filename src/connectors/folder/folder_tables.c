/* Tables of a folder as a target: their definitions, their folders, what they hold. */
#include "connectors/folder/folder.h"

#include "base/failpoint.h"
#include "base/file.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

/* ---------------------------------------------------------------- check */

static bool is_reserved(const char *name)
{
    return name[0] == '\0' || folder_is_own(name);
}

bool folder_table_is_possible(const struct folder *folder, const char *name)
{
    const struct folder_format *format = folder->format;
    return !is_reserved(name) && (format->name_valid == NULL || format->name_valid(name));
}

enum status folder_check_table(struct database *self, const struct check_request *request,
                               struct buffer *out, struct error *error)
{
    const struct target_table *table = request->table;
    (void)error;
    if (is_reserved(table->name)) {
        buffer_append_string(out, "the table's name is one that this folder keeps for itself\n");
    }
    if (table->key.count > FOLDER_KEY_PARTS_MAX) {
        buffer_format(out, "its key has %u parts; files take %d\n", table->key.count,
                      FOLDER_KEY_PARTS_MAX);
    }
    if (table->existing != EXISTING_REFUSE && of(self)->bucket != NULL) {
        buffer_append_string(out, "existing: files in a bucket are found by no key, and none is "
                                  "changed; only `existing: refuse` works here, with a prefix "
                                  "that holds no records of the table\n");
    } else if (table->existing != EXISTING_REFUSE) {
        buffer_append_string(out, "existing: a folder of files finds no record by its key; only "
                                  "`existing: refuse` and `truncate` work here\n");
    }
    of(self)->format->check_table(of(self), table, request->shapes, request->shape_count, out);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- inspect and count */

/* A link would lead out of the folder, and what a crash left behind it would not be found again. */
static enum status check_place(const char *path, struct error *error)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || S_ISDIR(facts.st_mode)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, path,
              S_ISLNK(facts.st_mode) ? "this is a symbolic link, not the table's folder"
                                     : "this is a file, not the table's folder");
    return error_hint(error, "move it away, or give another folder as the target");
}

static enum status has_content(const struct folder *folder, const char *file, bool *has,
                               struct error *error)
{
    uint64_t records = 0;
    if (folder->format->packing == NULL) {
        return folder_has_content(file, has, error);
    }
    enum status status = folder->format->packing->count(file, &records, error);
    *has = records > 0;
    return status;
}

static enum status inspect_one(struct folder *folder, const char *table, bool *exists,
                               bool *has_records, struct error *error)
{
    struct arena *arena = arena_create(0);
    char *path = folder_table_path(arena, folder, table);
    struct folder_file *files = NULL;
    uint32_t count = 0;
    *exists = false;
    *has_records = false;
    enum status status = check_place(path, error);
    status = status == STATUS_OK ? folder_list(folder->format, path, arena, &files, &count, error)
                                 : STATUS_FAILED;
    *exists = status == STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK && !*has_records; at++) {
        char *file = file_join(arena, path, files[at].name);
        status = has_content(folder, file, has_records, error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status folder_inspect(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error)
{
    if (of(self)->pipe != NULL && table_count > 1) {
        error_set(error, ERROR_PLAN_INVALID, "standard output",
                  "it takes one table, and these are %u", table_count);
        return error_hint(error, "choose one: --include TABLE");
    }
    for (uint32_t at = 0; at < table_count; at++) {
        table_exists[at] = false;
        record_exists[at] = false;
        if (folder_table_is_possible(of(self), tables[at].name) &&
            inspect_one(of(self), tables[at].name, &table_exists[at], &record_exists[at], error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status folder_segment_open(struct folder *folder, const char *table, const char *path,
                                struct folder_decoder **decoder, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const struct folder_range range = {
        .path = path, .file_name = slash != NULL ? slash + 1 : path, .end = UINT64_MAX};
    *decoder = NULL;
    return folder->format->decoder_open(folder, table, NULL, &range, NULL, decoder, error);
}

enum status folder_count_records(struct folder *folder, const char *table, const char *path,
                                 uint64_t *count, struct error *error)
{
    struct folder_decoder *decoder = NULL;
    const char *bytes = NULL;
    size_t length = 0;
    *count = 0;
    if (folder->format->packing != NULL) {
        return folder->format->packing->count(path, count, error);
    }
    enum status status = folder_segment_open(folder, table, path, &decoder, error);
    while (status == STATUS_OK) {
        status = folder->format->raw_next(decoder, &bytes, &length, error);
        *count += status == STATUS_OK ? 1 : 0;
    }
    folder->format->decoder_close(decoder);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A segment as long as its mark says holds what its mark says; any other file is read. */
static enum status count_file(struct folder *folder, const char *table,
                              const struct folder_file *file, const char *path,
                              const struct folder_marked *marked, uint64_t *count,
                              struct error *error)
{
    const struct folder_segment *segment = folder_marked_find(marked, file->name);
    uint64_t records = 0;
    if (segment != NULL && segment->bytes == file->bytes) {
        records = segment->records;
    } else if (folder_count_records(folder, table, path, &records, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *count += records;
    return STATUS_OK;
}

enum status folder_count(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct folder_marked marked;
    struct folder_file *files = NULL;
    uint32_t file_count = 0;
    char *path = folder_table_path(arena, folder, table->name);
    *count = 0;
    folder_marked_load(folder, table->name, arena, &marked);
    enum status status = folder_list(folder->format, path, arena, &files, &file_count, error);
    for (uint32_t at = 0; at < file_count && status == STATUS_OK; at++) {
        char *file = file_join(arena, path, files[at].name);
        status = count_file(folder, table->name, &files[at], file, &marked, count, error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- prepare and after_load */

static enum status write_definition(struct folder *folder, const struct target_table *table,
                                    bool finish, struct arena *arena, struct error *error)
{
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    if (folder->format->write_definition(folder, table, path, finish, arena, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_SCHEMA);
    }
    return STATUS_OK;
}

/* So that a rollback takes the definition away, too. */
static enum status note_first_definition(struct folder *folder, const struct target_table *table,
                                         struct arena *arena, struct error *error)
{
    char *definition = folder_definition_path(arena, folder, table->name, ".json");
    char *defined = folder_definition_path(arena, folder, table->name, ".defined");
    if (folder->run.id == NULL || file_exists(definition)) {
        return STATUS_OK;
    }
    return folder_sealed_write(defined, "defined", folder->run.id, "\n", 1, NULL, error);
}

/* The owner's file is the intent: written before the folder is made, by the run that makes it. */
static enum status prepare_one(struct folder *folder, struct target_table *table,
                               struct arena *arena, struct error *error)
{
    const char *run_id = folder->run.id != NULL ? folder->run.id : "";
    char *owner = folder_definition_path(arena, folder, table->name, ".owner");
    char *path = folder_table_path(arena, folder, table->name);
    char *text = NULL;
    size_t length = 0;
    table->created = false;
    if (check_place(path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!file_exists(path)) {
        table->created = true;
        if (folder_sealed_write(owner, "owner", run_id, "created\n", 8, NULL, error) != STATUS_OK ||
            failpoint_hit("files.before_table", error) != STATUS_OK ||
            file_make_folder(path, error) != STATUS_OK) {
            return error_recode(error, ERROR_TARGET_SCHEMA);
        }
    } else {
        struct error ignored;
        table->created = folder_sealed_read(owner, "owner", run_id, arena, &text, &length,
                                            &ignored) == STATUS_OK;
        if (!table->created && note_first_definition(folder, table, arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (write_definition(folder, table, false, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("files.after_table", error);
}

enum status folder_prepare(struct database *self, const struct prepare_request *request,
                           struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    enum status status = file_make_folder(folder_path(arena, folder, "tables"), error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
    }
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        if (!folder_table_is_possible(folder, request->tables[at].name)) {
            status = error_set(error, ERROR_TARGET_SCHEMA, NULL, "%s allow no table of such a name",
                               folder->base.connector->title);
        } else {
            status = prepare_one(folder, &request->tables[at], arena, error);
        }
    }
    /* also of those that a killed attempt made */
    if (status == STATUS_OK && file_sync_folder(folder->path, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    arena_destroy(arena);
    return status;
}

enum status folder_after_load(struct database *self, struct after_load_request *request,
                              struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        status = write_definition(of(self), &request->tables[at], true, arena, error);
    }
    arena_destroy(arena);
    return status;
}
