/* What fuzz targets share: scratch files, archives, databases. */
#include "support.h"

#include "base/log.h"
#include "connectors/common/registry.h"
#include "engine/ledger/ledger.h"
#include "engine/ledger/ledger_texts.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 120, PATH_BYTES_MAX = 400, TABLES_MAX = 8, TIMEOUT_MS = 2000 };

static char folder_path[PATH_BYTES_MAX / 2];

_Noreturn void fuzz_broken(const char *file, int line, const char *what, const struct error *error)
{
    fprintf(stderr, "%s:%d: it does not hold: %s\n", file, line, what);
    if (error != NULL) {
        fprintf(stderr, "%s: %s%s (%s)\n", error->object, error->context, error->message,
                error->hint);
    }
    abort();
}

static void check_line(const char *text, size_t capacity, const struct error *error)
{
    size_t length = strnlen(text, capacity);
    if (length == capacity || !text_is_utf8(text, length)) {
        fuzz_broken(__FILE__, __LINE__, "a text of an error is clean UTF-8", error);
    }
    for (size_t at = 0; at < length; at++) {
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) {
            fuzz_broken(__FILE__, __LINE__, "a text of an error has no control character", error);
        }
    }
}

void fuzz_check_error(const struct error *error)
{
    if (error->code == ERROR_NONE || error->code >= ERROR_CODE_COUNT || error->message[0] == '\0') {
        fuzz_broken(__FILE__, __LINE__, "a failure has a code and a message", error);
    }
    if (error->code == ERROR_INTERNAL) {
        fuzz_broken(__FILE__, __LINE__, "no input is an internal error", error);
    }
    check_line(error->object, sizeof error->object, error);
    check_line(error->message, sizeof error->message, error);
    check_line(error->hint, sizeof error->hint, error);
    check_line(error->context, sizeof error->context, error);
}

struct text fuzz_line(struct text *input)
{
    const char *end = input->length > 0 ? memchr(input->data, '\n', input->length) : NULL;
    size_t length = end != NULL ? (size_t)(end - input->data) : input->length;
    struct text line = {input->data, length};
    size_t taken = length + (end != NULL);
    input->data += taken;
    input->length -= taken;
    return line;
}

/* --- files --- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    return place->level > 0 ? remove(path) : 0;
}

void fuzz_empty_folder(void)
{
    nftw(fuzz_folder(), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_folder(void)
{
    fuzz_empty_folder();
    rmdir(folder_path);
}

const char *fuzz_folder(void)
{
    if (folder_path[0] == '\0') {
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(folder_path, sizeof folder_path, "%s/fuzz-XXXXXX", parent);
        if (mkdtemp(folder_path) == NULL) {
            fuzz_broken(__FILE__, __LINE__, "a scratch folder can be made", NULL);
        }
        atexit(remove_folder);
    }
    return folder_path;
}

/* Letters, digits and "-_.", in up to some folders; no part begins with two dots. */
static bool is_safe_name(const char *name, size_t length)
{
    if (length == 0 || length > NAME_BYTES_MAX || name[0] == '/' || name[length - 1] == '/') {
        return false;
    }
    for (size_t at = 0; at < length; at++) {
        unsigned char byte = (unsigned char)name[at];
        bool fits = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z') || byte >= 0x80 ||
                    memchr("-_.%$#,=+@ /", byte, 12) != NULL;
        if (!fits || (byte == '.' && at + 1 < length && name[at + 1] == '.') ||
            (byte == '/' && name[at + 1] == '/')) {
            return false;
        }
    }
    return true;
}

void fuzz_write(const char *name, size_t name_length, const void *bytes, size_t length)
{
    char path[PATH_BYTES_MAX];
    if (!is_safe_name(name, name_length)) {
        return;
    }
    int start = snprintf(path, sizeof path, "%s/", fuzz_folder());
    snprintf(path + start, sizeof path - (size_t)start, "%.*s", (int)name_length, name);
    for (char *slash = strchr(path + start, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    if (file != NULL) {
        if (length > 0) {
            fwrite(bytes, 1, length, file);
        }
        fclose(file);
    }
}

bool fuzz_next_part(struct text *archive, struct fuzz_part *part)
{
    static const char mark[] = "=== ";
    enum { MARK = sizeof mark - 1 };
    struct text line = {0};
    do {
        if (archive->length == 0) {
            return false;
        }
        line = fuzz_line(archive);
    } while (line.length < MARK || memcmp(line.data, mark, MARK) != 0);
    part->name = (struct text){line.data + MARK, line.length - MARK};
    part->bytes = (struct text){archive->data, 0};
    while (archive->length > 0 &&
           (archive->length < MARK || memcmp(archive->data, mark, MARK) != 0)) {
        fuzz_line(archive);
        part->bytes.length = (size_t)(archive->data - part->bytes.data);
    }
    return true;
}

void fuzz_unpack(struct text archive)
{
    struct fuzz_part part = {0};
    fuzz_empty_folder();
    while (fuzz_next_part(&archive, &part)) {
        fuzz_write(part.name.data, part.name.length, part.bytes.data, part.bytes.length);
    }
}

/* --- databases --- */

struct database *fuzz_open(const char *uri_text, enum open_mode mode, struct arena *arena)
{
    struct error error = {0};
    const struct connector *connector = NULL;
    struct uri *uri = NULL;
    struct database *database = NULL;
    enum status status = registry_resolve(uri_text, arena, &uri, &connector, &error);
    if (status == STATUS_OK) {
        struct open_options options = {
            .mode = mode, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = TIMEOUT_MS};
        status = connector->open(&options, &database, &error);
    }
    if (status != STATUS_OK) {
        fuzz_check_error(&error);
        return NULL;
    }
    return database;
}

/* Reads one span, or all of it (NULL); how many records there were, refused ones with them. */
static enum status read_span(struct reader *reader, const struct source_functions *source,
                             const struct read_request *request, const struct span *span,
                             uint32_t rows_max, uint64_t *rows, struct error *error)
{
    struct cursor *cursor = NULL;
    enum status status = source->cursor_open(reader, request, span, &cursor, error);
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = source->cursor_next(cursor, rows_max, 1 << 16, &batch, error);
        if (status == STATUS_OK) {
            *rows += batch->row_count + batch->refused_count;
            batch_destroy(batch);
        }
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static void read_table(struct database *database, struct reader *reader,
                       const struct schema_table *table, bool compares, struct arena *arena)
{
    const struct source_functions *source = database->connector->source;
    struct error error = {0};
    struct span *spans = NULL;
    uint32_t span_count = 0;
    uint64_t whole = 0;
    uint64_t parts = 0;
    uint32_t columns = table->column_count;
    if (database->limits.request_columns_max > 0 &&
        columns > database->limits.request_columns_max) {
        columns = database->limits.request_columns_max;
    }
    struct read_column *list = arena_allocate_zeroed(arena, columns + 1, sizeof *list);
    for (uint32_t at = 0; at < columns; at++) {
        list[at] = (struct read_column){.join = -1, .name = table->columns[at].name};
    }
    struct read_request request = {
        .name = table->name, .table = table->name, .columns = list, .column_count = columns};
    enum status status = source->split(database, &request, 2, arena, &spans, &span_count, &error);
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(span_count > 0);
        status = read_span(reader, source, &request, NULL, 1000, &whole, &error);
    }
    for (uint32_t at = 0; at < span_count && status == STATUS_OK; at++) {
        status = read_span(reader, source, &request, &spans[at], 3, &parts, &error);
    }
    if (status != STATUS_OK) {
        fuzz_check_error(&error);
    }
    FUZZ_REQUIRE(status != STATUS_OK || !compares || whole == parts);
}

void fuzz_read_source(struct database *database, bool compares, struct arena *arena)
{
    struct error error = {0};
    struct schema *schema = NULL;
    struct reader *reader = NULL;
    const char *token = NULL;
    enum status status = database->connector->catalog->describe(database, &schema, &error);
    if (status == STATUS_OK && database->connector->source->snapshot != NULL) {
        status = database->connector->source->snapshot(database, 1, arena, &token, &error);
    }
    if (status == STATUS_OK) {
        status = database->connector->source->reader_open(database, &reader, &error);
    }
    for (uint32_t at = 0; status == STATUS_OK && at < schema->table_count && at < TABLES_MAX;
         at++) {
        read_table(database, reader, &schema->tables[at], compares, arena);
    }
    if (reader != NULL) {
        database->connector->source->reader_close(reader);
    }
    if (status != STATUS_OK) {
        fuzz_check_error(&error);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
}

void fuzz_read_folder(const char *kind, struct text archive)
{
    struct arena *arena = arena_create(0);
    struct text options = {"", 0};
    if (archive.length > 0 && archive.data[0] == '?') {
        options = fuzz_line(&archive);
    }
    fuzz_unpack(archive);
    if (text_is_utf8(options.data, options.length) &&
        memchr(options.data, '\0', options.length) == NULL) {
        char *uri = arena_format(arena, "%s:%s%.*s", kind, fuzz_folder(), (int)options.length,
                                 options.data);
        struct database *source = fuzz_open(uri, OPEN_SOURCE, arena);
        if (source != NULL) {
            fuzz_read_source(source, true, arena);
            source->connector->close(source);
        }
    }
    arena_destroy(arena);
}

/* --- ledgers --- */

void fuzz_read_engine_texts(const struct ledger_run *run, struct arena *arena)
{
    enum { ENTITIES = 64 };
    struct ledger_header header = {0};
    struct ledger_status status = {0};
    struct error error = {0};
    const char *text = NULL;
    if (ledger_header_read(run->header, arena, &header, &error) == STATUS_OK) {
        FUZZ_REQUIRE(ledger_header_make(&header, arena, &text, &error) == STATUS_OK);
        FUZZ_REQUIRE(ledger_header_read(text, arena, &header, &error) == STATUS_OK);
    } else {
        fuzz_check_error(&error);
    }
    if (ledger_status_read(run->status, &status, &error) == STATUS_OK) {
        ledger_status_hands(&status);
        ledger_status_begin_attempt(&status, run->epoch + 1, "snapshot", 2);
        ledger_status_end_attempt(&status, "failed");
        FUZZ_REQUIRE(ledger_status_make(&status, arena, &text, &error) == STATUS_OK);
    } else {
        fuzz_check_error(&error);
    }
    ledger_status_free(&status);
    for (uint64_t at = 0; at < run->done_count; at++) {
        struct ledger_mark mark = {0};
        if (ledger_mark_read(&run->done[at], ENTITIES, arena, &mark, &error) == STATUS_OK) {
            FUZZ_REQUIRE(ledger_mark_make(&mark, arena, &text, &error) == STATUS_OK);
        } else {
            fuzz_check_error(&error);
        }
    }
}

void fuzz_read_ledger(struct database *target, struct arena *arena)
{
    struct ledger *ledger = NULL;
    struct ledger_run *run = NULL;
    struct error error = {0};
    enum status status = ledger_open(target, target, &ledger, &error);
    if (status == STATUS_OK) {
        status = ledger_load(ledger, NULL, arena, &run, &error);
    }
    if (status == STATUS_OK) {
        for (uint64_t at = 0; at < run->chunk_count; at++) {
            FUZZ_REQUIRE(run->chunks[at].number == at + 1);
        }
        for (uint64_t at = 0; at < run->done_count; at++) {
            FUZZ_REQUIRE(run->done[at].chunk >= 1 && run->done[at].chunk <= run->chunk_count);
        }
        fuzz_read_engine_texts(run, arena);
    } else if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    ledger_close(ledger);
}
