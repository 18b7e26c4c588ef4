/* The versions that runs made of files that they wrote again. */
#include "connectors/folder/folder_rewrite.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"
#include <inttypes.h>
#include <string.h>

enum { VERSIONS_BYTES_MAX = 16 << 20, VERSION_FIELDS = 3 };

static char *versions_path(struct arena *arena, const struct folder *folder, const char *table)
{
    return arena_format(arena, "%s/_transhume/versions/%s", folder->root,
                        folder_entry_name(arena, table));
}

static bool folder_versions_parse(char *line, struct folder_version *version)
{
    char *fields[VERSION_FIELDS];
    uint64_t *const numbers[] = {&version->print.bytes, &version->print.checksum};
    for (uint32_t at = 0; at < VERSION_FIELDS; at++) {
        fields[at] = strsep(&line, "\t");
        if (fields[at] == NULL) {
            return false;
        }
    }
    if (line != NULL || strlen(fields[2]) != FOLDER_TAG_LENGTH) {
        return false;
    }
    for (size_t at = 0; at < sizeof(numbers) / sizeof(numbers[0]); at++) {
        if (text_to_uint64(fields[at], strlen(fields[at]), numbers[at]) != STATUS_OK) {
            return false;
        }
    }
    memcpy(version->tag, fields[2], sizeof(version->tag));
    return true;
}

enum status folder_versions(const struct folder *folder, const char *table, const char *file,
                            struct arena *arena, struct folder_version **versions, uint32_t *count,
                            struct error *error)
{
    char *path = file_join(arena, versions_path(arena, folder, table), file);
    char *text = NULL;
    size_t length = 0;
    uint32_t room = 1;
    *versions = NULL;
    *count = 0;
    enum status status = file_read_all(path, VERSIONS_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    for (size_t at = 0; at < length; at++) {
        room += text[at] == '\n';
    }
    *versions = arena_allocate_zeroed(arena, room, sizeof(**versions));
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        *count += folder_versions_parse(line, &(*versions)[*count]);
    }
    return STATUS_OK;
}

enum status folder_version_add(const struct folder *folder, const char *table, const char *file,
                               const struct folder_version *version, struct arena *arena,
                               struct error *error)
{
    struct buffer text = {0};
    struct folder_version *versions;
    uint32_t count;
    char *place = versions_path(arena, folder, table);
    char *path = file_join(arena, place, file);
    if (folder_versions(folder, table, file, arena, &versions, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at <= count; at++) {
        const struct folder_version *one = at < count ? &versions[at] : version;
        buffer_format(&text, "%" PRIu64 "\t%" PRIu64 "\t%s\n", one->print.bytes,
                      one->print.checksum, one->tag);
    }
    enum status status = file_make_folder(place, error);
    if (status == STATUS_OK) {
        status = file_write_atomic(path, text.data, text.length, NULL, error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    buffer_free(&text);
    return status;
}

bool folder_version_is_known(const struct folder_version *versions, uint32_t count,
                             const struct folder_print *print, const char *tag)
{
    for (uint32_t at = 0; at < count; at++) {
        if (versions[at].print.bytes == print->bytes &&
            versions[at].print.checksum == print->checksum &&
            (tag == NULL || strcmp(versions[at].tag, tag) == 0)) {
            return true;
        }
    }
    return false;
}

enum status folder_versions_remove(const struct folder *folder, struct arena *arena,
                                   struct error *error)
{
    return file_remove_tree(folder_path(arena, folder, "versions"), error);
}
