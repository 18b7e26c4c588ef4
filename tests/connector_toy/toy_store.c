/*
 * The store: a file a key in DIR/_transhume, named after it with + for /, with the version in its
 * first line and the value behind it. What a conditional write does at a server, a lock held for a
 * moment does here.
 */
#include "base/file.h"
#include "base/memory.h"
#include "toy_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { VALUE_BYTES_MAX = 1 << 20 };

struct store {
    char *folder;
};

enum status toy_store_open_in(struct database *self, const char *place, struct store **store,
                              struct error *error)
{
    (void)error;
    *store = memory_allocate(sizeof **store);
    (*store)->folder = memory_format("%s/%s", toy_of(self)->folder, place);
    return STATUS_OK;
}

static enum status toy_store_open(struct database *self, struct store **store, struct error *error)
{
    return toy_store_open_in(self, "_transhume", store, error);
}

static void toy_store_close(struct store *store)
{
    if (store) {
        free(store->folder);
        free(store);
    }
}

static enum status toy_store_create(struct store *store, struct error *error)
{
    return file_make_folder(store->folder, error);
}

static enum status toy_store_drop(struct store *store, struct error *error)
{
    return file_remove_tree(store->folder, error);
}

static char *path_of(const struct store *store, const char *key)
{
    char *path = memory_format("%s/%s", store->folder, key);
    for (char *at = path + strlen(store->folder) + 1; *at; at++) {
        *at = *at == '/' ? '+' : *at;
    }
    return path;
}

static enum status toy_store_get(struct store *store, const char *key, struct arena *arena,
                                 struct store_value *value, struct error *error)
{
    char *path = path_of(store, key);
    char *text;
    size_t length;
    enum status status = STATUS_END;
    if (file_exists(path)) {
        status = file_read_all(path, VALUE_BYTES_MAX, arena, &text, &length, error);
    }
    if (status == STATUS_OK) {
        char *end;
        value->version = strtoull(text, &end, 10);
        if (*end != '\n') {
            status = error_set(error, ERROR_LEDGER_INVALID, path, "a value is damaged");
        }
        value->text = end + 1;
        value->length = (size_t)(text + length - value->text);
    }
    free(path);
    return status;
}

/* Until the descriptor is closed. */
static enum status lock(const struct store *store, int *descriptor, struct error *error)
{
    char *path = memory_format("%s/.lock", store->folder);
    *descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    enum status status =
        *descriptor >= 0 && flock(*descriptor, LOCK_EX) == 0
            ? STATUS_OK
            : error_set_errno(error, ERROR_TARGET_MISSING, errno, path, "locking it failed");
    free(path);
    return status;
}

/* With the lock held: STATUS_OK if the key has that version, `*descriptor` to be closed in any
 * case. */
static enum status lock_version(struct store *store, const char *key, uint64_t expected,
                                int *descriptor, struct error *error)
{
    struct store_value value = {0};
    struct arena *arena = arena_create(0);
    enum status status = lock(store, descriptor, error);
    if (status == STATUS_OK) {
        status = toy_store_get(store, key, arena, &value, error);
        status = status == STATUS_END ? STATUS_OK : status;
    }
    if (status == STATUS_OK && expected != STORE_ANY_VERSION && value.version != expected) {
        status = STATUS_AGAIN;
    }
    arena_destroy(arena);
    return status;
}

static void unlock(int descriptor)
{
    if (descriptor >= 0) {
        close(descriptor);
    }
}

static enum status toy_store_put_if(struct store *store, const char *key, const char *text,
                                    size_t length, uint64_t expected, uint64_t *version,
                                    struct error *error)
{
    int descriptor = -1;
    enum status status = lock_version(store, key, expected, &descriptor, error);
    if (status == STATUS_OK) {
        char *path = path_of(store, key);
        struct buffer out = {0};
        buffer_format(&out, "%" PRIu64 "\n", expected + 1);
        buffer_append(&out, text, length);
        status = file_write_atomic(path, out.data, out.length, NULL, error);
        *version = expected + 1;
        buffer_free(&out);
        free(path);
    }
    unlock(descriptor);
    return status;
}

static enum status toy_store_delete_if(struct store *store, const char *key, uint64_t expected,
                                       struct error *error)
{
    int descriptor = -1;
    char *path = path_of(store, key);
    enum status status =
        file_exists(path) ? lock_version(store, key, expected, &descriptor, error) : STATUS_OK;
    if (status == STATUS_OK && unlink(path) != 0 && errno != ENOENT) {
        status = error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "deleting it failed");
    }
    unlock(descriptor);
    free(path);
    return status;
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static enum status toy_store_scan(struct store *store, const char *prefix, store_visit *visit,
                                  void *context, struct error *error)
{
    DIR *folder = opendir(store->folder);
    struct dirent *entry;
    char **keys = NULL;
    size_t count = 0;
    enum status status = STATUS_OK;
    while (folder && (entry = readdir(folder))) {
        char *key = memory_copy_string(entry->d_name);
        for (char *at = key; *at; at++) {
            *at = *at == '+' ? '/' : *at;
        }
        if (strncmp(key, prefix, strlen(prefix)) == 0 && !strstr(key, ".tmp")) {
            keys = memory_resize(keys, count + 1, sizeof *keys);
            keys[count++] = key;
        } else {
            free(key);
        }
    }
    if (folder) {
        closedir(folder);
    }
    if (count > 0) {
        qsort(keys, count, sizeof *keys, compare_keys);
    }
    for (size_t i = 0; i < count; i++) {
        struct store_value value;
        struct arena *arena = arena_create(0);
        enum status got =
            status == STATUS_OK ? toy_store_get(store, keys[i], arena, &value, error) : STATUS_END;
        if (got == STATUS_OK) {
            status = visit(context, keys[i], &value, error);
        } else if (got == STATUS_FAILED) {
            status = got;
        }
        arena_destroy(arena);
        free(keys[i]);
    }
    free(keys);
    return status;
}

const struct store_functions toy_store = {
    .value_bytes_max = VALUE_BYTES_MAX / 2,
    .open = toy_store_open,
    .close = toy_store_close,
    .create = toy_store_create,
    .drop = toy_store_drop,
    .get = toy_store_get,
    .put_if = toy_store_put_if,
    .delete_if = toy_store_delete_if,
    .scan = toy_store_scan,
};
