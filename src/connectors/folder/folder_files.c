/* Names, listings and sealed files of a folder. */
#include "connectors/folder/folder.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { SEALED_BYTES_MAX = 1 << 30, NESTED_MAX = 16 };

char *folder_path(struct arena *arena, const struct folder *folder, const char *below)
{
    return arena_format(arena, "%s/_transhume%s%s", folder->root, *below != '\0' ? "/" : "", below);
}

/* file_safe_name leaves dots alone, and one at the beginning hides a file. */
char *folder_entry_name(struct arena *arena, const char *table)
{
    bool hidden = table[0] == '.' && table[1] != '\0'; /* "." alone is safe already */
    char *rest = file_safe_name(arena, table + hidden, strlen(table) - hidden);
    return hidden ? arena_format(arena, "%%2E%s", rest) : rest;
}

char *folder_shown_name(struct arena *arena, const char *name, size_t length)
{
    return text_is_utf8(name, length) ? arena_copy(arena, name, length)
                                      : file_safe_name(arena, name, length);
}

char *folder_table_path(struct arena *arena, const struct folder *folder, const char *table)
{
    return file_join(arena, folder->path, folder_entry_name(arena, table));
}

char *folder_definition_path(struct arena *arena, const struct folder *folder, const char *table,
                             const char *end)
{
    return folder_path(arena, folder,
                       arena_format(arena, "tables/%s%s", folder_entry_name(arena, table), end));
}

/* Before the ending of a compression. */
static bool ends_with_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(suffix);
    length -= text_ends_with_folded(name, ".gz") ? 3 : text_ends_with_folded(name, ".zst") ? 4 : 0;
    return length > suffix_length &&
           strncasecmp(name + length - suffix_length, suffix, suffix_length) == 0;
}

static bool may_be_data(const struct folder_format *format, const char *name)
{
    return name[0] != '.' && name[0] != '_' &&
           (format->ignored_prefix == NULL ||
            strncmp(name, format->ignored_prefix, strlen(format->ignored_prefix)) != 0);
}

bool folder_is_data(const struct folder_format *format, const char *name)
{
    return may_be_data(format, name) && ends_with_suffix(name, format->suffix);
}

const char *folder_suffix_of(const struct folder_format *format, const char *name)
{
    const char *const *more = format->read_suffixes;
    for (; more != NULL && *more != NULL; more++) {
        if (ends_with_suffix(name, *more)) {
            return *more;
        }
    }
    return format->suffix;
}

bool folder_is_read(const struct folder_format *format, const char *name)
{
    return may_be_data(format, name) && ends_with_suffix(name, folder_suffix_of(format, name));
}

const char *folder_suffixes_text(const struct folder_format *format, struct arena *arena)
{
    const char *text = format->suffix;
    const char *const *more = format->read_suffixes;
    for (; more != NULL && *more != NULL; more++) {
        text = arena_format(arena, "%s%s%s", text, more[1] != NULL ? ", " : " or ", *more);
    }
    return arena_format(arena, "%s, nor so with .gz or .zst behind it", text);
}

/* ---------------------------------------------------------------- listings */

/* A growing list in an arena. */
struct listing {
    struct arena *arena;
    const char *path; /* NULL: names are kept as they are */
    struct folder_file *files;
    uint32_t count;
    uint32_t capacity;
};

static void set_name(const struct listing *listing, const char *name, struct folder_file *file)
{
    bool as_is = listing->path == NULL || text_is_utf8(name, strlen(name));
    file->name = as_is ? arena_copy_string(listing->arena, name)
                       : folder_shown_name(listing->arena, name, strlen(name));
    file->path = as_is ? NULL : file_join(listing->arena, listing->path, name);
}

static void listing_add(struct listing *listing, const char *name, const struct stat *facts)
{
    listing->files = arena_make_room(listing->arena, listing->files, listing->count,
                                     &listing->capacity, sizeof *listing->files);
    struct folder_file *file = &listing->files[listing->count++];
    file->bytes = (uint64_t)facts->st_size;
    file->modified_ns = (int64_t)facts->st_mtim.tv_sec * 1000000000 + facts->st_mtim.tv_nsec;
    file->device = (uint64_t)facts->st_dev;
    file->inode = (uint64_t)facts->st_ino;
    set_name(listing, name, file);
}

static int compare_files(const void *left, const void *right)
{
    return strcmp(((const struct folder_file *)left)->name,
                  ((const struct folder_file *)right)->name);
}

typedef bool folder_wanted(const struct folder_format *format, const char *name);

/* `format` NULL: folders. */
static enum status list_entries(const struct folder_format *format, folder_wanted *is_wanted,
                                const char *path, struct listing *listing, struct error *error)
{
    struct entries entries;
    struct stat facts;
    const char *name;
    enum status status = entries_open(&entries, path, ERROR_SOURCE_READ, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        bool folders = format == NULL;
        bool wanted = folders ? name[0] != '.' : is_wanted(format, name);
        if (!wanted || fstatat(dirfd(entries.stream), name, &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
            (folders ? !S_ISDIR(facts.st_mode) : !S_ISREG(facts.st_mode))) {
            continue;
        }
        listing_add(listing, name, &facts);
    }
    entries_close(&entries);
    if (status == STATUS_END && listing->count > 1) {
        qsort(listing->files, listing->count, sizeof(*listing->files), compare_files);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* The test of names that count as a table's files: a source reads more endings than are written. */
static folder_wanted *wanted_of(const struct folder *folder)
{
    return folder->mode == OPEN_SOURCE ? folder_is_read : folder_is_data;
}

/* Does the link lead to a folder? */
static bool leads_to_folder(int folder, const char *name)
{
    struct stat facts;
    return fstatat(folder, name, &facts, 0) == 0 && S_ISDIR(facts.st_mode);
}

static enum status refuse_entry(const char *path, const char *name, mode_t mode,
                                struct error *error)
{
    char object[1024];
    snprintf(object, sizeof(object), "%s/%s", path, name);
    const char *kind = S_ISLNK(mode)    ? "a symbolic link"
                       : S_ISFIFO(mode) ? "a pipe"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";
    enum status status = error_set(error, ERROR_SOURCE_INVALID, object,
                                   "it is called like data, and is %s, which is not read", kind);
    error_hint(error, "put the file or folder itself there, or move this away");
    return status;
}

/* Within a folder, however deep. */
static bool holds_data(const struct folder *folder, int parent, const char *name, int depth)
{
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    struct dirent *entry = NULL;
    bool found = false;
    if (stream == NULL) {
        if (descriptor >= 0) {
            close(descriptor);
        }
        return false;
    }
    while (!found && (entry = readdir(stream)) != NULL) {
        found = entry->d_name[0] != '.' &&
                (wanted_of(folder)(folder->format, entry->d_name) ||
                 (depth > 0 && holds_data(folder, descriptor, entry->d_name, depth - 1)));
    }
    closedir(stream);
    return found;
}

static enum status refuse_folder(const char *path, const char *name, struct error *error)
{
    char object[1024];
    snprintf(object, sizeof(object), "%s/%s", path, name);
    enum status status = error_set(error, ERROR_SOURCE_INVALID, object,
                                   "it is a folder with data within a table's folder, which is not "
                                   "read");
    error_hint(error, "put its files into the table's folder, or move it beside that to have a "
                      "table of its own");
    return status;
}

enum status folder_refuse_unread(const struct folder *folder, const char *path, bool has_tables,
                                 struct error *error)
{
    struct entries entries;
    struct stat facts;
    const char *name;
    enum status status = entries_open(&entries, path, ERROR_SOURCE_READ, error);
    if (status == STATUS_FAILED && error->native_code == ENOTDIR) {
        error_clear(error); /* a file by itself */
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        int descriptor = dirfd(entries.stream);
        if (name[0] == '.' || fstatat(descriptor, name, &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISREG(facts.st_mode)) {
            continue;
        }
        if (S_ISDIR(facts.st_mode)) {
            bool nested = !has_tables && holds_data(folder, descriptor, name, NESTED_MAX);
            status = nested ? refuse_folder(path, name, error) : STATUS_OK;
            continue;
        }
        bool is_table = has_tables && S_ISLNK(facts.st_mode) && leads_to_folder(descriptor, name);
        if (is_table || wanted_of(folder)(folder->format, name)) {
            status = refuse_entry(path, name, facts.st_mode, error);
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status folder_list(const struct folder_format *format, const char *path, struct arena *arena,
                        struct folder_file **files, uint32_t *count, struct error *error)
{
    struct listing listing = {.arena = arena, .path = path};
    enum status status = list_entries(format, folder_is_data, path, &listing, error);
    *files = listing.files;
    *count = status == STATUS_OK ? listing.count : 0;
    return status;
}

/* Leaves out what is called like records and holds none. */
static enum status keep_records(const struct folder *folder, const char *path,
                                struct listing *listing, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < listing->count; at++) {
        const struct folder_file *file = &listing->files[at];
        bool holds = true;
        const char *place =
            file->path != NULL ? file->path : file_join(listing->arena, path, file->name);
        if (!folder_is_data(folder->format, file->name) && folder->format->holds_records != NULL &&
            folder->format->holds_records(place, &holds, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (holds) {
            listing->files[kept++] = *file;
        } else {
            log_write(LOG_WARNING, "%s: left out, since it holds no records", place);
        }
    }
    listing->count = kept;
    return STATUS_OK;
}

enum status folder_list_table(const struct folder *folder, const char *path, struct arena *arena,
                              struct folder_file **files, uint32_t *count, struct error *error)
{
    struct listing listing = {.arena = arena, .path = path};
    enum status status = list_entries(folder->format, wanted_of(folder), path, &listing, error);
    status = status == STATUS_OK ? keep_records(folder, path, &listing, error) : status;
    *files = listing.files;
    *count = status == STATUS_OK ? listing.count : 0;
    return status;
}

enum status folder_subfolders(const char *path, struct arena *arena, const char ***names,
                              uint32_t *count, struct error *error)
{
    struct listing listing = {.arena = arena};
    enum status status = list_entries(NULL, NULL, path, &listing, error);
    *count = 0;
    *names = NULL;
    if (status != STATUS_OK) {
        return status;
    }
    *names = arena_allocate_zeroed(arena, (size_t)listing.count + 1, sizeof(**names));
    for (; *count < listing.count; (*count)++) {
        (*names)[*count] = listing.files[*count].name;
    }
    return STATUS_OK;
}

bool folder_is_own(const char *name)
{
    return strcmp(name, "_transhume") == 0 || strcmp(name, FOLDER_CHANGES) == 0;
}

void folder_take_census(const char *path, struct arena *arena, struct folder_census *census)
{
    DIR *stream = opendir(path);
    struct dirent *entry = NULL;
    struct stat facts;
    const char *first = NULL;
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        if (name[0] == '.' || folder_is_own(name) ||
            fstatat(dirfd(stream), name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        census->folders += S_ISDIR(facts.st_mode) ? 1 : 0;
        census->files += S_ISDIR(facts.st_mode) ? 0 : 1;
        if (first == NULL || strcmp(name, first) < 0) {
            first = arena_copy_string(arena, name);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
    census->first = first != NULL ? folder_shown_name(arena, first, strlen(first)) : "?";
}

enum status folder_file_facts(const char *path, const char *name, struct arena *arena,
                              struct folder_file *file, struct error *error)
{
    struct listing listing = {.arena = arena};
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return error_set_errno(error, ERROR_SOURCE_MISSING, errno, path, "can't look at the file");
    }
    listing_add(&listing, name, &facts);
    *file = listing.files[0];
    return STATUS_OK;
}

/* ---------------------------------------------------------------- changes */

enum { SAMPLE_BYTES = 4096 };

/* A sample of the first `bytes` of a file: a hash of their beginning and their end. */
static bool read_sample(const char *path, uint64_t bytes, uint64_t *sample)
{
    char text[2 * SAMPLE_BYTES];
    size_t head = bytes < SAMPLE_BYTES ? (size_t)bytes : SAMPLE_BYTES;
    size_t tail = bytes - head < SAMPLE_BYTES ? (size_t)(bytes - head) : SAMPLE_BYTES;
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    bool done = descriptor >= 0 && file_read_at(descriptor, text, head, 0) == (ssize_t)head &&
                file_read_at(descriptor, text + head, tail, (off_t)(bytes - tail)) == (ssize_t)tail;
    if (descriptor >= 0) {
        close(descriptor);
    }
    *sample = done ? XXH3_64bits(text, head + tail) : 0;
    return done;
}

void folder_take_sample(const char *path, struct folder_file *file)
{
    file->sampled = read_sample(path, file->bytes, &file->sample);
}

static bool only_grew(const char *path, const struct folder_file *file)
{
    uint64_t sample = 0;
    return !file->sampled || (read_sample(path, file->bytes, &sample) && sample == file->sample);
}

enum status folder_check_unchanged(const char *path, const struct folder_file *file,
                                   struct error *error)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return STATUS_OK; /* it was opened, and is read whole although its name is gone */
    }
    int64_t modified_ns = (int64_t)facts.st_mtim.tv_sec * 1000000000 + facts.st_mtim.tv_nsec;
    bool is_same = (uint64_t)facts.st_dev == file->device && (uint64_t)facts.st_ino == file->inode;
    uint64_t bytes = (uint64_t)facts.st_size;
    bool is_unchanged = bytes == file->bytes && modified_ns == file->modified_ns;
    if (is_same && (is_unchanged || (bytes > file->bytes && only_grew(path, file)))) {
        return STATUS_OK;
    }
    enum status status =
        error_set(error, ERROR_SOURCE_CHANGED, path, "%s",
                  !is_same              ? "another file has taken its place while it was read"
                  : bytes < file->bytes ? "the file has become shorter since it was looked at"
                                        : "the file was changed while it was read");
    error_hint(error, "`transhume resume` once nobody writes to it: its table is read again");
    return status;
}

enum status folder_has_content(const char *path, bool *has, struct error *error)
{
    struct folder_input *input = NULL;
    char bytes[256];
    size_t length = 0;
    *has = false;
    if (folder_input_open(path, 0, ERROR_TARGET_INVALID, &input, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = folder_input_read(input, bytes, sizeof(bytes), &length, error);
    folder_input_close(input);
    *has = status == STATUS_OK;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- segments */

void folder_tag(const char *run_id, char tag[FOLDER_TAG_LENGTH + 1])
{
    snprintf(tag, FOLDER_TAG_LENGTH + 1, "%016" PRIx64, XXH3_64bits(run_id, strlen(run_id)));
}

void folder_segment_name(const struct folder_format *format, const char *tag, uint64_t chunk,
                         uint32_t entity, uint32_t part, enum folder_compression compression,
                         char name[FOLDER_SEGMENT_NAME_MAX])
{
    snprintf(name, FOLDER_SEGMENT_NAME_MAX, "%s-%s-%08" PRIu64 "-%03u-%04u%s%s",
             format->segment_prefix, tag, chunk, entity, part, format->suffix,
             folder_compression_suffix(compression));
}

/* Digits up to `end`, which is stepped over. */
static bool parse_number(const char **text, char end, uint64_t *value)
{
    const char *stop = strchr(*text, end);
    if (stop == NULL || text_to_uint64(*text, (size_t)(stop - *text), value) != STATUS_OK) {
        return false;
    }
    *text = stop + 1;
    return true;
}

bool folder_segment_parse(const struct folder_format *format, const char *name, const char *tag,
                          uint64_t *chunk, uint32_t *entity, uint32_t *part)
{
    size_t prefix = strlen(format->segment_prefix);
    const char *rest = name + prefix + 1;
    uint64_t wide_entity = 0;
    uint64_t wide_part = 0;
    if (strncmp(name, format->segment_prefix, prefix) != 0 || name[prefix] != '-' ||
        strlen(name) < prefix + 1 + FOLDER_TAG_LENGTH + 1 ||
        (tag != NULL && strncmp(rest, tag, FOLDER_TAG_LENGTH) != 0) ||
        rest[FOLDER_TAG_LENGTH] != '-') {
        return false;
    }
    rest += FOLDER_TAG_LENGTH + 1;
    if (!parse_number(&rest, '-', chunk) || !parse_number(&rest, '-', &wide_entity) ||
        !parse_number(&rest, '.', &wide_part) || wide_entity > UINT32_MAX ||
        wide_part > UINT32_MAX) {
        return false;
    }
    *entity = (uint32_t)wide_entity;
    *part = (uint32_t)wide_part;
    return folder_is_data(format, name);
}

/* ---------------------------------------------------------------- sealed files */

static void seal(const char *kind, const char *run_id, const char *contents, size_t length,
                 char text[33])
{
    XXH3_state_t *state = folder_hash_create();
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, kind, strlen(kind) + 1);
    XXH3_128bits_update(state, run_id, strlen(run_id) + 1);
    XXH3_128bits_update(state, contents, length);
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    text_from_hash(hash.high64, hash.low64, text);
}

enum status folder_sealed_write(const char *path, const char *kind, const char *run_id,
                                const char *contents, size_t length, const char *failpoint,
                                struct error *error)
{
    struct buffer text = {0};
    char checksum[33];
    seal(kind, run_id, contents, length, checksum);
    buffer_format(&text, "{\"format\":%d,\"kind\":\"%s\",\"run\":", FOLDER_FORMAT, kind);
    json_append_string(&text, run_id, strlen(run_id));
    buffer_format(&text, ",\"bytes\":%zu,\"xxh3\":\"%s\"}\n", length, checksum);
    buffer_append(&text, contents, length);
    enum status status = file_write_atomic(path, text.data, text.length, failpoint, error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    buffer_free(&text);
    return status;
}

static enum status damaged(const char *path, const char *reason, struct error *error)
{
    enum status status = error_set(error, ERROR_LEDGER_INVALID, path, "%s", reason);
    error_hint(error, "put the file back from a copy; without it the run can't go on: "
                      "empty the target's folder and migrate again");
    return status;
}

/* The members of a sealed file's first line. */
struct head {
    int64_t format;
    int64_t bytes;
    char kind[16];
    char checksum[33];
    const char *run;
    size_t run_length;
};

static bool copy_short(char *to, size_t capacity, const struct json_reader *reader)
{
    if (reader->length >= capacity) {
        return false;
    }
    memcpy(to, reader->text, reader->length);
    to[reader->length] = '\0';
    return true;
}

static bool head_member(struct head *head, const char *key, size_t key_length,
                        enum json_token token, const struct json_reader *reader)
{
    bool number = token == JSON_TOKEN_NUMBER;
    if (key_length == 6 && memcmp(key, "format", 6) == 0) {
        return number && text_to_int64(reader->text, reader->length, &head->format) == STATUS_OK;
    }
    if (key_length == 5 && memcmp(key, "bytes", 5) == 0) {
        return number && text_to_int64(reader->text, reader->length, &head->bytes) == STATUS_OK;
    }
    if (key_length == 4 && memcmp(key, "kind", 4) == 0) {
        return token == JSON_TOKEN_STRING && copy_short(head->kind, sizeof(head->kind), reader);
    }
    if (key_length == 4 && memcmp(key, "xxh3", 4) == 0) {
        return token == JSON_TOKEN_STRING &&
               copy_short(head->checksum, sizeof(head->checksum), reader);
    }
    if (key_length == 3 && memcmp(key, "run", 3) == 0) {
        head->run = reader->text;
        head->run_length = reader->length;
        return token == JSON_TOKEN_STRING;
    }
    return token == JSON_TOKEN_STRING || number;
}

static bool head_parse(struct head *head, const char *text, size_t length, struct arena *arena)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    struct error ignored;
    json_reader_init(&reader, text, length, 4, arena);
    if (json_reader_next(&reader, &token, &ignored) != STATUS_OK ||
        token != JSON_TOKEN_OBJECT_BEGIN) {
        return false;
    }
    for (;;) {
        if (json_reader_next(&reader, &token, &ignored) != STATUS_OK) {
            return false;
        }
        if (token == JSON_TOKEN_OBJECT_END) {
            return true;
        }
        const char *key = reader.text;
        size_t key_length = reader.length;
        if (json_reader_next(&reader, &token, &ignored) != STATUS_OK ||
            !head_member(head, key, key_length, token, &reader)) {
            return false;
        }
    }
}

enum status folder_sealed_read(const char *path, const char *kind, const char *run_id,
                               struct arena *arena, char **contents, size_t *length,
                               struct error *error)
{
    char *bytes = NULL;
    size_t total = 0;
    char checksum[33];
    struct head head = {.run = ""};
    enum status status = file_read_all(path, SEALED_BYTES_MAX, arena, &bytes, &total, error);
    if (status != STATUS_OK) {
        return status;
    }
    char *line_end = (char *)memchr(bytes, '\n', total);
    if (line_end == NULL || !head_parse(&head, bytes, (size_t)(line_end - bytes), arena)) {
        return damaged(path, "the file's first line is not what transhume wrote", error);
    }
    if (head.format > FOLDER_FORMAT) {
        status = error_set(error, ERROR_FORMAT_NEWER, path,
                           "format %lld was written by a newer transhume; this one knows format %d",
                           (long long)head.format, FOLDER_FORMAT);
        error_hint(error, "use the version that began the run");
        return status;
    }
    *contents = line_end + 1;
    *length = total - (size_t)(*contents - bytes);
    seal(kind, run_id, *contents, *length, checksum);
    if (head.format != FOLDER_FORMAT || strcmp(head.kind, kind) != 0 ||
        head.run_length != strlen(run_id) || memcmp(head.run, run_id, head.run_length) != 0 ||
        (uint64_t)head.bytes != *length || strcmp(head.checksum, checksum) != 0) {
        return damaged(path, "the file was edited or cut: its checksum is not right", error);
    }
    return STATUS_OK;
}

char *folder_parent(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return arena_copy_string(arena, ".");
    }
    return slash == path ? arena_copy_string(arena, "/")
                         : arena_copy(arena, path, (size_t)(slash - path));
}
