/* The contents of a folder as a source: tables, their data files, their shapes. */
#include "connectors/folder/folder.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder_finding {
    struct folder *folder;
    struct arena *arena;
    struct folder_table *tables;
    uint32_t count;
    uint32_t capacity;
};

/* ---------------------------------------------------------------- tables */

struct arena *folder_finding_arena(struct folder_finding *finding)
{
    return finding->arena;
}

/* The next table of the list; its name may be taken from the definition. */
static struct folder_table *next_table(struct folder_finding *finding)
{
    finding->tables = arena_make_room(finding->arena, finding->tables, finding->count,
                                      &finding->capacity, sizeof *finding->tables);
    return &finding->tables[finding->count++];
}

static void add_files(struct folder_finding *finding, const char *name, const char *path,
                      struct folder_file *files, uint32_t count)
{
    struct folder_table *table = next_table(finding);
    *table =
        (struct folder_table){.name = name, .folder = path, .files = files, .file_count = count};
    table->marks =
        arena_allocate_zeroed(finding->arena, (size_t)count + 1, sizeof(struct folder_line_mark *));
    table->mark_counts =
        arena_allocate_zeroed(finding->arena, (size_t)count + 1, sizeof(*table->mark_counts));
    for (uint32_t at = 0; at < count; at++) {
        char *file =
            finding->folder->pipe == NULL ? folder_file_path(finding->arena, table, at) : NULL;
        if (file != NULL && finding->folder->mode == OPEN_SOURCE) {
            folder_take_sample(file, &files[at]);
        }
        table->bytes += files[at].bytes;
    }
}

enum status folder_add_table(struct folder_finding *finding, const char *name, const char *path,
                             bool always, struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    if (folder_refuse_unread(finding->folder, path, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        folder_list_table(finding->folder, path, finding->arena, &files, &count, error);
    if (status == STATUS_FAILED || (count == 0 && !always)) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    add_files(finding, name, path, files, count);
    return STATUS_OK;
}

/*
 * A folder's or file's name turned back into the table's: %XX is a byte, if all of it is so and
 * makes a name. Names that are not UTF-8 keep their %XX.
 */
static const char *table_name(struct arena *arena, const char *entry, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    char *name = arena_copy(arena, entry, length);
    size_t end = 0;
    for (size_t at = 0; at < length; at++) {
        const char *high =
            entry[at] == '%' && at + 2 < length ? strchr(digits, entry[at + 1]) : NULL;
        const char *low = high != NULL ? strchr(digits, entry[at + 2]) : NULL;
        if (high != NULL && low != NULL && *high != '\0' && *low != '\0') {
            name[end++] = (char)((high - digits) * 16 + (low - digits));
            at += 2;
        } else {
            name[end++] = entry[at];
        }
    }
    name[end] = '\0';
    const char *again = folder_entry_name(arena, name);
    bool ours = strlen(again) == length && memcmp(again, entry, length) == 0 &&
                strlen(name) == end && text_is_utf8(name, end);
    return ours ? name : folder_shown_name(arena, entry, length);
}

/* A table whose folder or file has a name that is no text goes by another one. */
static void say_name(const struct folder_finding *finding, const char *entry, const char *name)
{
    if (!text_is_utf8(entry, strlen(entry))) {
        char shown[256];
        text_printable(entry, strlen(entry), shown, sizeof(shown));
        log_write(LOG_WARNING, "%s: the name %s is not UTF-8; the table is called %s",
                  finding->folder->path, shown, name);
    }
}

static enum status add_folders(struct folder_finding *finding, struct error *error)
{
    const char *root = finding->folder->path;
    const char **names = NULL;
    uint32_t count = 0;
    enum status status = folder_subfolders(root, finding->arena, &names, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const char *name = table_name(finding->arena, names[at], strlen(names[at]));
        char *path = file_join(finding->arena, root, names[at]);
        char *definition = folder_definition_path(finding->arena, finding->folder, name, ".json");
        if (!folder_is_own(names[at])) {
            uint32_t before = finding->count;
            status = folder_add_table(finding, name, path, file_exists(definition), error);
            if (finding->count > before) {
                say_name(finding, names[at], name);
            }
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* "orders.jsonl.gz" is a table "orders". */
static const char *loose_name(struct folder_finding *finding, const char *file)
{
    const struct folder_format *format = finding->folder->format;
    size_t length = strlen(file) - strlen(folder_suffix_of(format, file)) -
                    strlen(folder_compression_suffix(folder_compression_of(file)));
    return table_name(finding->arena, file, length);
}

static enum status add_loose(struct folder_finding *finding, struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    enum status status = folder_list_table(finding->folder, finding->folder->path, finding->arena,
                                           &files, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const char *name = loose_name(finding, files[at].name);
        if (files[at].path != NULL) {
            say_name(finding, strrchr(files[at].path, '/') + 1, name);
        }
        add_files(finding, name, finding->folder->path, &files[at], 1);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

char *folder_file_path(struct arena *arena, const struct folder_table *table, uint32_t file)
{
    return table->files[file].path != NULL
               ? arena_copy_string(arena, table->files[file].path)
               : file_join(arena, table->folder, table->files[file].name);
}

static enum status add_pipe(struct folder_finding *finding, struct error *error)
{
    struct folder_file *file = arena_allocate_zeroed(finding->arena, 1, sizeof(*file));
    if (folder_pipe_take(finding->folder, file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_files(finding, folder_pipe_table(finding->folder), "-", file, 1);
    return STATUS_OK;
}

static enum status refuse_without_records(const struct folder *folder, struct error *error)
{
    const struct folder_format *format = folder->format;
    bool holds = true;
    if (folder_is_data(format, folder->path) || format->holds_records == NULL) {
        return STATUS_OK;
    }
    if (format->holds_records(folder->path, &holds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (holds) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, folder->path, "it holds no records");
    return error_hint(error, "%s", format->records_help);
}

/* The URI names one file. */
static enum status add_single(struct folder_finding *finding, struct error *error)
{
    struct folder_file *file = arena_allocate_zeroed(finding->arena, 1, sizeof(*file));
    char *parent = folder_parent(finding->arena, finding->folder->path);
    const char *slash = strrchr(finding->folder->path, '/');
    const char *base = slash != NULL ? slash + 1 : finding->folder->path;
    if (refuse_without_records(finding->folder, error) != STATUS_OK ||
        folder_file_facts(finding->folder->path, base, finding->arena, file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_files(finding, loose_name(finding, base), parent, file, 1);
    return STATUS_OK;
}

enum status folder_refuse_loose(const struct folder_finding *finding, struct error *error)
{
    const struct folder *folder = finding->folder;
    const struct folder_format *format = folder->format;
    struct folder_file *files;
    uint32_t count = 0;
    if (folder->mode != OPEN_SOURCE) {
        return STATUS_OK;
    }
    enum status status = folder_list(format, folder->path, finding->arena, &files, &count, error);
    if (status == STATUS_FAILED || count == 0) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, file_join(finding->arena, folder->path, files[0].name),
              "it lies beside the tables, of which each is a folder with such files");
    return error_hint(error, "put it into a folder that is called like its table; %s",
                      format->records_help);
}

static enum status find_tables(struct folder_finding *finding, struct error *error)
{
    const struct folder_format *format = finding->folder->format;
    if (finding->folder->pipe == NULL &&
        folder_refuse_unread(finding->folder, finding->folder->path, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = format->find_tables != NULL
                             ? format->find_tables(finding->folder, finding, error)
                             : STATUS_END;
    if (status != STATUS_END) {
        return status;
    }
    struct stat facts;
    if (finding->folder->pipe != NULL) {
        return add_pipe(finding, error);
    }
    if (format->loose_files && stat(finding->folder->path, &facts) == 0 &&
        !S_ISDIR(facts.st_mode)) {
        return add_single(finding, error);
    }
    status = add_folders(finding, error);
    return status == STATUS_OK && format->loose_files ? add_loose(finding, error) : status;
}

/* ---------------------------------------------------------------- the snapshot */

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct folder_table *)left)->name,
                  ((const struct folder_table *)right)->name);
}

/* A table's one file, or the folder of its files. */
static const char *place_of(struct arena *arena, const struct folder_table *table)
{
    return table->file_count == 1 ? folder_file_path(arena, table, 0) : table->folder;
}

static enum status refuse_equal_names(const struct folder_finding *finding, struct error *error)
{
    for (uint32_t at = 1; at < finding->count; at++) {
        const struct folder_table *first = &finding->tables[at - 1];
        const struct folder_table *second = &finding->tables[at];
        if (strcmp(first->name, second->name) != 0) {
            continue;
        }
        const char *first_place = place_of(finding->arena, first);
        const char *second_place = place_of(finding->arena, second);
        error_set(error, ERROR_SOURCE_INVALID, second_place,
                  "a second place for the same table %s; the first is %s", second->name,
                  first_place);
        return error_hint(error, "move one of them away, or name the one that you mean: %s:%s",
                          finding->folder->format->connector->name, first_place);
    }
    return STATUS_OK;
}

/* A source where nothing is called as it should be: said with what is there. */
static void warn_of_nothing(const struct folder *folder, struct arena *arena)
{
    const struct folder_format *format = folder->format;
    struct folder_census census = {0};
    if (folder->mode != OPEN_SOURCE || folder->pipe != NULL) {
        return;
    }
    folder_take_census(folder->path, arena, &census);
    if (census.files + census.folders == 0) {
        log_write(LOG_WARNING, "%s: the folder is empty", folder->path);
        return;
    }
    log_write(LOG_WARNING,
              "%s: none of its %u files and %u folders is a table: %s is not called like "
              "TABLE%s, TABLE%s.gz or TABLE%s.zst, nor a folder with such files",
              folder->path, census.files, census.folders, census.first, format->suffix,
              format->suffix, format->suffix);
}

static enum status make_snapshot(struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct folder_finding finding = {.folder = folder, .arena = arena};
    enum status status = find_tables(&finding, error);
    if (status == STATUS_OK && finding.count > 1) {
        qsort(finding.tables, finding.count, sizeof(*finding.tables), compare_tables);
        status = refuse_equal_names(&finding, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    if (finding.count == 0) {
        warn_of_nothing(folder, arena);
    }
    struct folder_snapshot *snapshot = arena_allocate_zeroed(arena, 1, sizeof(*snapshot));
    *snapshot = (struct folder_snapshot){arena, finding.tables, finding.count};
    folder->snapshot = snapshot;
    return STATUS_OK;
}

/* With the mutex held. */
static enum status take_snapshot(struct folder *folder, struct error *error)
{
    return folder->snapshot != NULL ? STATUS_OK : make_snapshot(folder, error);
}

enum status folder_snapshot(struct folder *folder, struct folder_snapshot **snapshot,
                            struct error *error)
{
    pthread_mutex_lock(&folder->mutex);
    enum status status = take_snapshot(folder, error);
    *snapshot = folder->snapshot;
    pthread_mutex_unlock(&folder->mutex);
    return status;
}

/* With the mutex held. */
static enum status describe_one(struct folder *folder, struct folder_table *table,
                                struct error *error)
{
    if (table->described) {
        return STATUS_OK;
    }
    table->schema = (struct schema_table){.kind = SCHEMA_TABLE,
                                          .name = table->name,
                                          .row_count = -1,
                                          .size_bytes = (int64_t)table->bytes};
    if (folder->format->describe_table(folder, table, folder->snapshot->arena, &table->schema,
                                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->described = true;
    return STATUS_OK;
}

enum status folder_find_table(struct folder *folder, const char *name, struct folder_table **table,
                              struct error *error)
{
    *table = NULL;
    pthread_mutex_lock(&folder->mutex);
    enum status status = take_snapshot(folder, error);
    for (uint32_t at = 0; status == STATUS_OK && at < folder->snapshot->table_count; at++) {
        if (strcmp(folder->snapshot->tables[at].name, name) == 0) {
            *table = &folder->snapshot->tables[at];
            status = describe_one(folder, *table, error);
        }
    }
    pthread_mutex_unlock(&folder->mutex);
    if (status == STATUS_OK && *table == NULL) {
        status = error_set(error, ERROR_SOURCE_MISSING, name,
                           "there is no folder of that name with data files");
        error_hint(error, "look at the folder's subfolders; names are case-sensitive");
    }
    return status;
}

/* ---------------------------------------------------------------- describe */

static enum status catalog_describe(struct database *self, struct schema **schema,
                                    struct error *error)
{
    struct folder *folder = (struct folder *)self;
    struct folder_snapshot *snapshot = NULL;
    if (folder_snapshot(folder, &snapshot, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    struct schema_table *tables =
        arena_allocate_zeroed(arena, (size_t)snapshot->table_count + 1, sizeof(*tables));
    enum status status = STATUS_OK;
    pthread_mutex_lock(&folder->mutex);
    for (uint32_t at = 0; at < snapshot->table_count && status == STATUS_OK; at++) {
        status = describe_one(folder, &snapshot->tables[at], error);
        tables[at] = snapshot->tables[at].schema;
    }
    if (status == STATUS_OK && folder->format->check_tables != NULL) {
        status = folder->format->check_tables(folder, snapshot, error);
    }
    pthread_mutex_unlock(&folder->mutex);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *made = (struct schema){.arena = arena, .tables = tables, .table_count = snapshot->table_count};
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions folder_catalog = {.describe = catalog_describe};
