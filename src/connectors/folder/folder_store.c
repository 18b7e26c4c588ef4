/* The store of a folder: DIR/_transhume/ledger.log (folder_log.h), one for all of its handles. */
#include "connectors/folder/folder_claim.h"

#include "base/file.h"
#include "base/memory.h"
#include "connectors/common/run_lock.h"
#include "connectors/folder/folder_log.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_KEYS_MAX = 1000, PAGE_BYTES_MAX = 1 << 20 };

struct store {
    struct folder *folder;
    struct folder_log *log;
};

/* Before format 2 each run had a file "number". */
static enum status refuse_format_1(const struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char **names = NULL;
    uint32_t count = 0;
    const char *place = folder_path(arena, folder, "");
    enum status status = folder_subfolders(place, arena, &names, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const char *path = arena_format(arena, "%s/%s/number", place, names[at]);
        if (strncmp(names[at], "run-", 4) == 0 && file_exists(path)) {
            error_set(error, ERROR_LEDGER_INVALID, place,
                      "the ledger has format 1, which this version does not read");
            error_hint(error,
                       "finish the run with the version of transhume that began it, or "
                       "delete %s/run-* by hand",
                       place);
            status = STATUS_FAILED;
        }
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    *store = NULL;
    enum status status = folder_log_begin(&folder->log, false, error);
    if (status == STATUS_OK) {
        folder_log_end(&folder->log);
    } else if (status == STATUS_FAILED || refuse_format_1(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *store = memory_allocate(sizeof(**store));
    **store = (struct store){.folder = folder, .log = &folder->log};
    return STATUS_OK;
}

static void store_close(struct store *store)
{
    free(store);
}

static enum status refuse_other(const struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(1024);
    enum status status = run_lock_refuse_other(folder_path(arena, folder, "lock"),
                                               folder->lock_descriptor, folder->path, error);
    arena_destroy(arena);
    return status;
}

/* Another process may remove the folder between the two steps. */
static enum status store_create(struct store *store, struct error *error)
{
    enum status status = refuse_other(store->folder, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = STATUS_END;
    while (status == STATUS_END) {
        if (folder_make_place(store->folder, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        status = folder_log_make(store->log, error);
    }
    if (status == STATUS_OK) {
        folder_log_end(store->log);
    }
    return status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    enum status status = folder_log_begin(store->log, true, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = folder_log_remove(store->log, error);
    folder_log_end(store->log);
    return status;
}

static enum status read_value(struct folder_log *log, const struct folder_log_entry *entry,
                              struct arena *arena, struct store_value *value, struct error *error)
{
    *value = (struct store_value){.length = entry->length, .version = entry->version};
    return folder_log_read(log, entry, arena, &value->text, error);
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    enum status status = folder_log_begin(store->log, false, error);
    if (status != STATUS_OK) {
        return status;
    }
    const struct folder_log_entry *entry = folder_log_find(store->log, key);
    status = entry == NULL ? STATUS_END : read_value(store->log, entry, arena, value, error);
    folder_log_end(store->log);
    return status;
}

static enum status check_text(const char *key, const char *text, size_t length, struct error *error)
{
    if (length > FOLDER_LOG_TEXT_BYTES_MAX) {
        return error_set(error, ERROR_INTERNAL, key, "the ledger takes no text of %zu bytes",
                         length);
    }
    return memchr(text, '\0', length) == NULL
               ? STATUS_OK
               : error_set(error, ERROR_INTERNAL, key, "the ledger takes no text with a NUL");
}

static enum status begin_put(struct store *store, struct error *error)
{
    enum status status = folder_log_begin(store->log, true, error);
    if (status != STATUS_END) {
        return status;
    }
    error_set(error, ERROR_LEDGER_MISSING, store->folder->path,
              "the ledger was removed while this run was written to it");
    return error_hint(error, "was the run finished or rolled back elsewhere? Then migrate again");
}

static uint64_t version_of(const struct folder_log *log, const char *key)
{
    const struct folder_log_entry *entry = folder_log_find(log, key);
    return entry == NULL ? STORE_ABSENT : entry->version;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    if (check_text(key, text, length, error) != STATUS_OK || begin_put(store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_AGAIN;
    if (version_of(store->log, key) == expected) {
        const struct folder_log_change change = {
            .key = key, .version = expected + 1, .text = text, .length = length};
        status = folder_log_append(store->log, &change, 1, error);
        *version = expected + 1;
    }
    folder_log_end(store->log);
    return status;
}

static enum status store_put_many(struct store *store, const struct store_pair *pairs,
                                  uint32_t count, struct error *error)
{
    struct folder_log_change *changes = memory_allocate_zeroed(count + 1u, sizeof(*changes));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = check_text(pairs[at].key, pairs[at].text, pairs[at].length, error);
        changes[at] = (struct folder_log_change){
            .key = pairs[at].key, .version = 1, .text = pairs[at].text, .length = pairs[at].length};
    }
    status = status == STATUS_OK ? begin_put(store, error) : status;
    if (status == STATUS_OK) {
        for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
            bool there = version_of(store->log, pairs[at].key) != STORE_ABSENT;
            status = there ? STATUS_AGAIN : STATUS_OK;
        }
        if (status == STATUS_OK && count > 0) {
            status = folder_log_append(store->log, changes, count, error);
        }
        folder_log_end(store->log);
    }
    free(changes);
    return status;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    enum status status = folder_log_begin(store->log, true, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    uint64_t version = version_of(store->log, key);
    if (version != STORE_ABSENT && expected != STORE_ANY_VERSION && version != expected) {
        status = STATUS_AGAIN;
    } else if (version != STORE_ABSENT) {
        const struct folder_log_change change = {.key = key, .version = STORE_ABSENT, .text = ""};
        status = folder_log_append(store->log, &change, 1, error);
    }
    folder_log_end(store->log);
    return status;
}

/* ---------------------------------------------------------------- scan */

/* Some keys at a time, so that the visitor may use the store. */
struct page {
    struct arena *arena;
    const char *keys[PAGE_KEYS_MAX];
    struct store_value values[PAGE_KEYS_MAX];
    uint32_t count;
};

/* The keys with the prefix, and their values, from `from` on; `after`: behind it. */
static enum status read_page(struct store *store, const char *prefix, const char *from, bool after,
                             struct page *page, struct error *error)
{
    struct folder_log *log = store->log;
    size_t bytes = 0;
    page->count = 0;
    arena_reset(page->arena);
    enum status status = folder_log_begin(log, false, error);
    if (status != STATUS_OK) {
        return status;
    }
    size_t at = folder_log_search(log, from);
    at += after && at < log->count && strcmp(log->entries[at].key, from) == 0;
    for (; at < log->count && page->count < PAGE_KEYS_MAX && bytes < PAGE_BYTES_MAX &&
           status == STATUS_OK && strncmp(log->entries[at].key, prefix, strlen(prefix)) == 0;
         at++) {
        page->keys[page->count] = arena_copy_string(page->arena, log->entries[at].key);
        status = read_value(log, &log->entries[at], page->arena, &page->values[page->count], error);
        bytes += page->values[page->count++].length;
    }
    folder_log_end(log);
    return status == STATUS_OK && page->count == 0 ? STATUS_END : status;
}

static enum status visit_page(const struct page *page, store_visit *visit, void *context,
                              struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < page->count && status == STATUS_OK; at++) {
        status = visit(context, page->keys[at], &page->values[at], error);
    }
    return status;
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct page *page = memory_allocate(sizeof(*page));
    char from[STORE_KEY_BYTES];
    enum status status = STATUS_OK;
    page->arena = arena_create(0);
    memcpy(from, prefix, strlen(prefix) + 1);
    for (bool after = false; status == STATUS_OK; after = true) {
        enum status read = read_page(store, prefix, from, after, page, error);
        if (read != STATUS_OK) {
            status = read == STATUS_END ? STATUS_OK : STATUS_FAILED;
            break;
        }
        status = visit_page(page, visit, context, error);
        const char *last = page->keys[page->count - 1];
        memcpy(from, last, strlen(last) + 1);
    }
    arena_destroy(page->arena);
    free(page);
    return status;
}

const struct store_functions folder_store = {
    .value_bytes_max = FOLDER_LOG_TEXT_BYTES_MAX,
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .drop = store_drop,
    .get = store_get,
    .put_if = store_put_if,
    .delete_if = store_delete_if,
    .scan = store_scan,
    .put_many = store_put_many,
};
