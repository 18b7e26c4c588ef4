/* Fetching a prefix of a bucket into a folder. */
#include "connectors/folder/folder_stage.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/folder/folder.h"
#include "net/s3.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SCHEME "s3://"
enum { NAME_BYTES_MAX = 255, PARTS_MAX = 3 };

struct folder_stage {
    struct arena *arena;
    char *folder;
    const char *path;
    const char *identity;
    struct folder_stage_address address;
};

bool folder_stage_is(const char *path)
{
    return strncmp(path, SCHEME, strlen(SCHEME)) == 0;
}

const char *folder_stage_path(const struct folder_stage *stage)
{
    return stage->path;
}

const char *folder_stage_identity(const struct folder_stage *stage)
{
    return stage->identity;
}

const struct folder_stage_address *folder_stage_address_of(const struct folder_stage *stage)
{
    return &stage->address;
}

void folder_stage_destroy(struct folder_stage *stage)
{
    struct error ignored = {0};
    if (stage == NULL) {
        return;
    }
    if (stage->folder != NULL && file_remove_tree(stage->folder, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "%s: the copies of objects can't be removed: %s", stage->folder,
                  ignored.message);
    }
    free(stage->folder);
    arena_destroy(stage->arena);
    free(stage);
}

/* ---------------------------------------------------------------- addresses */

static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

enum status folder_stage_read_address(const struct uri *uri, const struct connector *connector,
                                      struct arena *arena, struct folder_stage_address *address,
                                      struct error *error)
{
    const char *text = uri->path + strlen(SCHEME);
    size_t length = strcspn(text, "/");
    if (length == 0) {
        error_set(error, ERROR_USAGE, uri->shown, "the URI names no bucket");
        return error_hint(error, "write s3://BUCKET/PREFIX");
    }
    address->bucket = arena_copy(arena, text, length);
    const char *prefix = text[length] == '/' ? text + length + 1 : "";
    size_t end = strlen(prefix);
    while (end > 0 && prefix[end - 1] == '/') {
        end--;
    }
    address->prefix = arena_copy(arena, prefix, end);
    address->endpoint = given(uri_parameter(uri, connector, "endpoint"));
    address->region = given(uri_parameter(uri, connector, "region"));
    const char *plaintext = given(uri_parameter(uri, connector, "plaintext"));
    address->plaintext_allowed = plaintext != NULL && strcmp(plaintext, "true") == 0;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- files */

struct staging {
    struct folder_stage *stage;
    struct s3_bucket *bucket;
    bool (*wants)(const void *context, const char *name);
    const void *context;
    uint32_t files;
    const char *last; /* the file that was fetched last */
};

static bool is_name(const char *name, size_t length)
{
    return length > 0 && length <= NAME_BYTES_MAX && !(length == 1 && name[0] == '.') &&
           !(length == 2 && name[0] == '.' && name[1] == '.');
}

/* The parts of a path are names, and not many. */
static bool is_below(const char *path)
{
    size_t parts = 0;
    for (const char *at = path;; at++) {
        size_t length = strcspn(at, "/");
        if (++parts > PARTS_MAX || !is_name(at, length)) {
            return false;
        }
        at += length;
        if (*at == '\0') {
            return true;
        }
    }
}

#define OWN "_transhume/"
#define DEFINITIONS OWN "tables/"
#define DEFINITION_END ".json"

static bool is_own(const char *path)
{
    return strncmp(path, OWN, strlen(OWN)) == 0;
}

/* Only definitions say something of records, of the files in this program's own folder. */
static bool is_definition(const char *path)
{
    const char *name = path + strlen(DEFINITIONS);
    size_t end = strlen(DEFINITION_END);
    return strncmp(path, DEFINITIONS, strlen(DEFINITIONS)) == 0 && is_name(name, strlen(name)) &&
           strchr(name, '/') == NULL && strlen(name) > end &&
           strcmp(name + strlen(name) - end, DEFINITION_END) == 0;
}

static bool is_wanted(const struct staging *staging, const char *path)
{
    const char *slash = strrchr(path, '/');
    return staging->wants == NULL ||
           staging->wants(staging->context, slash != NULL ? slash + 1 : path);
}

static void set_time(int descriptor, const struct s3_object *object)
{
    enum { NANOSECONDS = 1000000000 };
    uint64_t hash = XXH3_64bits(object->etag, strlen(object->etag));
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_NOW},
        {.tv_sec = object->modified_ms / 1000, .tv_nsec = (long)(hash % NANOSECONDS)}};
    (void)futimens(descriptor, times);
}

static enum status folder_stage_fetch(struct staging *staging, const struct s3_object *object,
                                      const char *name, struct error *error)
{
    struct arena *arena = staging->stage->arena;
    char *path = file_join(arena, staging->stage->folder, name);
    char *folder = arena_copy(arena, path, (size_t)(strrchr(path, '/') - path));
    if (file_make_folder(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int descriptor = file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't keep the object %s",
                               object->key);
    }
    enum status status = s3_fetch(staging->bucket, object, descriptor, path, error);
    set_time(descriptor, object);
    close(descriptor);
    staging->files++;
    staging->last = path;
    return status;
}

/* A table without records has no objects, and a folder all the same. */
static enum status fetch_definition(struct staging *staging, const struct s3_object *object,
                                    const char *name, struct error *error)
{
    struct arena *arena = staging->stage->arena;
    const char *entry = name + strlen(DEFINITIONS);
    entry = arena_copy(arena, entry, strlen(entry) - strlen(DEFINITION_END));
    return folder_stage_fetch(staging, object, name, error) == STATUS_OK
               ? file_make_folder(file_join(arena, staging->stage->folder, entry), error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- all objects */

/* As in a folder, data are refused where they would not be read. */
static enum status leave_out(const struct staging *staging, const struct s3_object *object,
                             struct error *error)
{
    const char *slash = strrchr(object->key, '/');
    bool data = staging->wants != NULL && object->bytes > 0 &&
                staging->wants(staging->context, slash != NULL ? slash + 1 : object->key);
    if (!data) {
        log_write(LOG_INFO, "s3: %s is left out: no table has a file there", object->key);
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, object->key,
              "the object lies too deep to be of a table, and would not be read");
    return error_hint(error, "name the prefix that its folder lies in");
}

static enum status fetch_below(struct staging *staging, const char *prefix, struct error *error)
{
    struct arena *arena = staging->stage->arena;
    const char *begin = prefix[0] != '\0' ? arena_format(arena, "%s/", prefix) : "";
    struct s3_object *objects = NULL;
    uint32_t count = 0;
    enum status status = s3_list(staging->bucket, begin, arena, &objects, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *name = objects[i].key + strlen(begin);
        if (is_own(name)) {
            status = is_definition(name) ? fetch_definition(staging, &objects[i], name, error)
                                         : STATUS_OK;
        } else if (strncmp(objects[i].key, begin, strlen(begin)) != 0 || !is_below(name)) {
            status = leave_out(staging, &objects[i], error);
        } else if (is_wanted(staging, name)) {
            status = folder_stage_fetch(staging, &objects[i], name, error);
        }
    }
    return status;
}

/* The one object that the address names. STATUS_END: there is none. */
static enum status fetch_one(struct staging *staging, const char *key, struct error *error)
{
    struct s3_object *objects = NULL;
    uint32_t count = 0;
    const char *slash = strrchr(key, '/');
    const char *name = slash != NULL ? slash + 1 : key;
    enum status status =
        s3_list(staging->bucket, key, staging->stage->arena, &objects, &count, error);
    if (status != STATUS_OK || count == 0 || strcmp(objects[0].key, key) != 0 ||
        !is_name(name, strlen(name))) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    status = folder_stage_fetch(staging, &objects[0], name, error);
    staging->stage->path = staging->last;
    return status;
}

static enum status fetch_all(struct staging *staging, const struct uri *uri,
                             const struct folder_stage_address *address, struct error *error)
{
    enum status status =
        address->prefix[0] != '\0' ? fetch_one(staging, address->prefix, error) : STATUS_END;
    if (status != STATUS_END) {
        return status;
    }
    status = fetch_below(staging, address->prefix, error);
    if (status == STATUS_OK && staging->files == 0) {
        error_set(error, ERROR_SOURCE_MISSING, uri->shown,
                  "the bucket has no such object, and none below it that is read");
        return error_hint(error, "check the prefix; aws s3 ls s3://%s/%s shows what is there",
                          address->bucket, address->prefix);
    }
    return status;
}

/* ---------------------------------------------------------------- making a stage */

enum status folder_stage_place(const char *spill_folder, char **path, struct error *error)
{
    const char *temporary = getenv("TMPDIR");
    const char *parent = temporary != NULL && temporary[0] == '/' ? temporary : "/tmp";
    struct arena *arena = arena_create(1024);
    if (spill_folder != NULL) {
        parent = folder_parent(arena, spill_folder);
    }
    *path = memory_format("%s/transhume-s3-XXXXXX", parent);
    arena_destroy(arena);
    if (mkdtemp(*path) == NULL) {
        error_set_errno(error, ERROR_STATE_WRITE, errno, *path,
                        "can't make a folder for the objects of S3");
        free(*path);
        *path = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status folder_stage_make(const struct open_options *open, const struct connector *connector,
                              bool (*wants)(const void *context, const char *name),
                              const void *context, struct folder_stage **stage, struct error *error)
{
    struct folder_stage *made = memory_allocate_zeroed(1, sizeof *made);
    struct staging staging = {.stage = made, .wants = wants, .context = context};
    struct folder_stage_address *address = &made->address;
    *stage = NULL;
    made->arena = arena_create(0);
    enum status status =
        folder_stage_read_address(open->uri, connector, made->arena, address, error);
    if (status == STATUS_OK) {
        const struct s3_options options = {.bucket = address->bucket,
                                           .plaintext_allowed = address->plaintext_allowed,
                                           .endpoint = address->endpoint,
                                           .region = address->region,
                                           .timeout_ms = open->timeout_ms};
        status = s3_bucket_open(&options, &staging.bucket, error);
    }
    status =
        status == STATUS_OK ? folder_stage_place(open->spill_folder, &made->folder, error) : status;
    made->path = made->folder;
    status = status == STATUS_OK ? fetch_all(&staging, open->uri, address, error) : status;
    if (status == STATUS_OK) {
        made->identity =
            arena_format(made->arena, "s3 %s/%s", s3_bucket_place(staging.bucket), address->prefix);
    }
    s3_bucket_close(staging.bucket);
    if (status != STATUS_OK) {
        folder_stage_destroy(made);
        return STATUS_FAILED;
    }
    *stage = made;
    return STATUS_OK;
}
