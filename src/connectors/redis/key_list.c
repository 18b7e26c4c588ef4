/*
 * The keys of a table, listed once and sorted, so that spans are ranges of keys whatever SCAN gives
 * when. The file has no name: for each key its length (4 bytes, little endian) and its bytes. Every
 * INDEX_EVERY-th key is kept in memory with its place.
 */
#include "connectors/redis/source.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { INDEX_EVERY = 64, LENGTH_BYTES = 4, WRITE_BYTES = 64 << 10, READ_BYTES = 64 << 10 };

struct indexed {
    struct text key;
    uint64_t offset;
};

struct redis_key_list {
    struct redis_database *database;
    const struct redis_table *table;
    struct arena *arena;
    int file;
    uint64_t bytes;
    struct buffer pending; /* not written to the file yet */
    struct indexed *index;
    uint32_t index_count;
    uint32_t index_capacity;
    uint64_t count;
};

/* ---------------------------------------------------------------- making */

static enum status key_list_flush(struct redis_key_list *list, struct error *error)
{
    enum status status = file_write_all(list->file, list->pending.data, list->pending.length,
                                        "a list of keys", error);
    buffer_clear(&list->pending);
    return status;
}

/* The table of keys that name none has no others; the program's own keys are left out, and indexes.
 */
static bool is_of_table(const struct redis_key_list *list, const char *key, size_t length)
{
    static const char own[] = "{" REDIS_OWN_PREFIX;
    if (redis_is_index(list->table->indexes, key, length)) {
        return false;
    }
    if (list->table->prefix[0] != '\0') {
        return true;
    }
    return redis_name_length(list->database, key, length) == 0 &&
           !(length >= sizeof(own) - 1 && memcmp(key, own, sizeof(own) - 1) == 0);
}

static enum status add_key(void *context, const char *key, size_t length, struct error *error)
{
    struct redis_key_list *list = context;
    uint8_t digits[LENGTH_BYTES];
    if (!is_of_table(list, key, length)) {
        return STATUS_OK;
    }
    if (list->count % INDEX_EVERY == 0) {
        list->index = arena_make_room(list->arena, list->index, list->index_count,
                                      &list->index_capacity, sizeof(*list->index));
        list->index[list->index_count++] = (struct indexed){
            .key = {arena_copy(list->arena, key, length), length}, .offset = list->bytes};
    }
    bytes_put_le(digits, length, LENGTH_BYTES);
    buffer_append(&list->pending, digits, LENGTH_BYTES);
    buffer_append(&list->pending, key, length);
    list->bytes += LENGTH_BYTES + length;
    list->count++;
    return list->pending.length < WRITE_BYTES ? STATUS_OK : key_list_flush(list, error);
}

static int open_nameless(const struct redis_database *self)
{
    const char *temporary = getenv("TMPDIR");
    const char *folder = self->spill_folder != NULL ? self->spill_folder
                         : temporary != NULL        ? temporary
                                                    : "/tmp";
    return open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static enum status make_list(struct redis_database *self, struct redis_table *table,
                             struct redis_key_list **list, struct error *error)
{
    struct redis_key_list *made = memory_allocate_zeroed(1, sizeof(*made));
    enum status status = STATUS_OK;
    made->database = self;
    made->table = table;
    made->arena = arena_create(0);
    made->file = open_nameless(self);
    if (made->file < 0) {
        status = error_set_errno(error, ERROR_SOURCE_READ, errno, table->name,
                                 "no file for the list of its keys");
    }
    if (status == STATUS_OK) {
        status = redis_scan_sorted(self, table->prefix,
                                   table->shared ? redis_type_name(table->type) : NULL, add_key,
                                   made, error);
    }
    status = status == STATUS_OK ? key_list_flush(made, error) : status;
    buffer_free(&made->pending);
    if (status != STATUS_OK) {
        redis_key_list_destroy(made);
        return status;
    }
    *list = made;
    return STATUS_OK;
}

enum status redis_key_list_get(struct redis_database *self, struct redis_table *table,
                               struct redis_key_list **list, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.mutex);
    if (table->keys == NULL) {
        status = make_list(self, table, &table->keys, error);
    }
    *list = table->keys;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

void redis_key_list_destroy(struct redis_key_list *list)
{
    if (list != NULL) {
        if (list->file >= 0) {
            close(list->file);
        }
        buffer_free(&list->pending);
        arena_destroy(list->arena);
        free(list);
    }
}

uint64_t redis_key_list_count(const struct redis_key_list *list)
{
    return list->count;
}

bool redis_key_list_near(const struct redis_key_list *list, uint64_t *position, struct text *key)
{
    uint64_t at = (*position + INDEX_EVERY - 1) / INDEX_EVERY;
    if (at >= list->index_count) {
        return false;
    }
    *position = at * INDEX_EVERY;
    *key = list->index[at].key;
    return true;
}

/* ---------------------------------------------------------------- walking */

struct redis_key_walk {
    const struct redis_key_list *list;
    struct buffer low;
    struct buffer high;
    bool has_high;
    uint64_t offset; /* of what is read next into the window */
    struct buffer window;
    size_t at; /* in the window */
};

static int key_list_compare(struct text left, struct text right)
{
    size_t least = left.length < right.length ? left.length : right.length;
    int order = memcmp(left.data, right.data, least);
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

/* Where to begin: the last indexed key that is not above. */
static uint64_t offset_of(const struct redis_key_list *list, struct text low)
{
    uint32_t from = 0;
    uint32_t to = list->index_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (key_list_compare(list->index[middle].key, low) <= 0) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return list->index_count > 0 ? list->index[from].offset : 0;
}

struct redis_key_walk *redis_key_walk_create(const struct redis_key_list *list,
                                             const struct text *low, const struct text *high)
{
    struct redis_key_walk *made = memory_allocate_zeroed(1, sizeof(*made));
    made->list = list;
    if (low != NULL) {
        made->offset = offset_of(list, *low);
        buffer_append(&made->low, low->data, low->length);
    }
    if (high != NULL) {
        made->has_high = true;
        buffer_append(&made->high, high->data, high->length);
    }
    return made;
}

void redis_key_walk_destroy(struct redis_key_walk *walk)
{
    if (walk != NULL) {
        buffer_free(&walk->low);
        buffer_free(&walk->high);
        buffer_free(&walk->window);
        free(walk);
    }
}

/* Makes `length` bytes of the window from `at` on. STATUS_END: there are no more. */
static enum status key_list_fill(struct redis_key_walk *walk, size_t length, struct error *error)
{
    struct buffer *window = &walk->window;
    size_t left = window->length - walk->at;
    if (left >= length) {
        return STATUS_OK;
    }
    if (left > 0) {
        memmove(window->data, window->data + walk->at, left);
    }
    window->length = left;
    walk->at = 0;
    size_t wanted = length > READ_BYTES ? length : READ_BYTES;
    buffer_reserve(window, wanted);
    ssize_t got =
        file_read_at(walk->list->file, window->data + left, wanted - left, (off_t)walk->offset);
    if (got < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, walk->list->table->name,
                               "the list of its keys can't be read");
    }
    walk->offset += (uint64_t)got;
    window->length += (size_t)got;
    return window->length >= length ? STATUS_OK : STATUS_END;
}

static enum status next_key(struct redis_key_walk *walk, struct text *key, struct error *error)
{
    enum status status = key_list_fill(walk, LENGTH_BYTES, error);
    if (status != STATUS_OK) {
        return status;
    }
    size_t length =
        (size_t)bytes_get_le((const uint8_t *)walk->window.data + walk->at, LENGTH_BYTES);
    status = key_list_fill(walk, LENGTH_BYTES + length, error);
    if (status == STATUS_OK) {
        *key = (struct text){walk->window.data + walk->at + LENGTH_BYTES, length};
        walk->at += LENGTH_BYTES + length;
    }
    return status;
}

enum status redis_key_walk_next(struct redis_key_walk *walk, struct text *key, struct error *error)
{
    const struct text low = {walk->low.data, walk->low.length};
    const struct text high = {walk->high.data, walk->high.length};
    enum status status;
    do {
        status = next_key(walk, key, error);
    } while (status == STATUS_OK && low.length > 0 && key_list_compare(*key, low) < 0);
    return status == STATUS_OK && walk->has_high && key_list_compare(*key, high) >= 0 ? STATUS_END
                                                                                      : status;
}
