/* Entries of the book that change. */
#include "engine/rejects/reject_notes.h"

#include "base/clock.h"
#include "base/text.h"
#include "engine/rejects/reject_book_internal.h"
#include <string.h>

/* ---- changes, one of a record */

const struct reject_change *reject_changes_find(const struct reject_changes *changes,
                                                const struct reject_id *id)
{
    uint32_t at = name_index_find(&changes->index, (const char *)id, sizeof *id);
    return at != NAME_INDEX_NONE ? &changes->items[at] : NULL;
}

static struct reject_change *room_for(struct reject_changes *changes, const struct reject_id *id)
{
    struct reject_change *there = (struct reject_change *)reject_changes_find(changes, id);
    if (there != NULL) {
        return there;
    }
    if (changes->count == changes->capacity) {
        changes->capacity = changes->capacity == 0 ? 16 : 2 * changes->capacity;
        struct reject_change *grown =
            arena_allocate_zeroed(changes->arena, changes->capacity, sizeof *grown);
        if (changes->count > 0) {
            memcpy(grown, changes->items, changes->count * sizeof *grown);
        }
        changes->items = grown;
    }
    changes->index.arena = changes->arena;
    const char *name = arena_copy(changes->arena, id, sizeof *id);
    (void)name_index_add(&changes->index, name, sizeof *id, changes->count);
    return &changes->items[changes->count++];
}

static const char *keep_text(struct arena *arena, const char *text, size_t most)
{
    size_t length = text == NULL ? 0 : text_clip(text, strlen(text), most);
    return text != NULL ? arena_copy(arena, text, length) : NULL;
}

void reject_changes_add(struct reject_changes *changes, const struct reject_change *change)
{
    if (change->id.kind == 0) {
        return;
    }
    bool shown = change->key != NULL && strlen(change->key) <= BOOK_KEY_TEXT_BYTES;
    struct reject_change *to = room_for(changes, &change->id);
    *to = *change;
    to->reason = keep_text(changes->arena, change->reason, BOOK_REASON_BYTES);
    to->key = shown ? arena_copy_string(changes->arena, change->key) : NULL;
    to->number = ++changes->last_number;
}

/* ---- what is open */

bool reject_book_watches_sources(const struct reject_book *book)
{
    return book != NULL && atomic_load_explicit(&book->sources_open, memory_order_relaxed) > 0;
}

bool reject_book_watches_targets(const struct reject_book *book)
{
    return book != NULL && atomic_load_explicit(&book->targets_open, memory_order_relaxed) > 0;
}

bool reject_book_is_open(struct reject_book *book, const struct reject_id *id)
{
    pthread_mutex_lock(&book->mutex);
    const struct book_item *item = book_find(book, id);
    bool open = item != NULL && !item->settled;
    pthread_mutex_unlock(&book->mutex);
    return open;
}

/* Does to the entries what a change says. */
static void book_take(struct reject_book *book, const struct reject_change *change)
{
    struct book_item *item = book_find(book, &change->id);
    bool open = change->state == REJECT_OPEN;
    if (item == NULL && !open && !change->copied) {
        return;
    }
    item = item != NULL ? item : book_add(book, &change->id, change->entity);
    if (item == NULL) { /* too many: it is counted alone */
        book->open[change->entity] += open && !change->copied;
        return;
    }
    item->copied = item->copied || (change->copied && !item->counted);
    if (item->counted) {
        book_count(book, item, -1);
        item->again = true;
    }
    item->settled = !open;
    item->counted = true;
    if (open) {
        item->code = change->code;
        item->round = book->round;
        book_keep_reason(book, change->entity, change->code, change->reason);
    }
    book_count(book, item, 1);
}

void reject_book_take(struct reject_book *book, const struct reject_changes *changes)
{
    pthread_mutex_lock(&book->mutex);
    for (uint32_t i = 0; i < changes->count; i++) {
        if (!changes->items[i].queued) {
            book_take(book, &changes->items[i]);
        }
    }
    pthread_mutex_unlock(&book->mutex);
}

/* ---- the queue */

void reject_book_queue(struct reject_book *book, const struct reject_change *change)
{
    pthread_mutex_lock(&book->mutex);
    reject_changes_add(&book->queue, change);
    if (change->id.kind != 0) {
        book_take(book, change);
    }
    pthread_mutex_unlock(&book->mutex);
}

uint64_t reject_book_add_queued(struct reject_book *book, struct reject_changes *changes)
{
    pthread_mutex_lock(&book->mutex);
    for (uint32_t i = 0; i < book->queue.count; i++) {
        struct reject_change change = book->queue.items[i];
        change.queued = true;
        reject_changes_add(changes, &change);
    }
    uint64_t number = book->queue.last_number;
    pthread_mutex_unlock(&book->mutex);
    return number;
}

void reject_book_confirm(struct reject_book *book, uint64_t number)
{
    pthread_mutex_lock(&book->mutex);
    if (book->queue.count > 0) {
        struct reject_changes left = {.arena = arena_create(0)};
        for (uint32_t i = 0; i < book->queue.count; i++) {
            if (book->queue.items[i].number > number) {
                reject_changes_add(&left, &book->queue.items[i]);
            }
        }
        left.last_number = book->queue.last_number;
        for (uint32_t i = 0; i < left.count; i++) {
            left.items[i].number = left.last_number; /* none of them was put yet */
        }
        arena_destroy(book->queue.arena);
        book->queue = left;
    }
    pthread_mutex_unlock(&book->mutex);
}

/* ---- what the store is to hold */

static struct apply_note note_of(const struct reject_book *book, const struct reject_change *change,
                                 struct arena *arena)
{
    char key[STORE_KEY_BYTES];
    char at[32];
    const struct book_item *item = book_find(book, &change->id);
    book_entry_key(key, book->run->id, &change->id);
    clock_format_utc(clock_utc_us(), at, sizeof at);
    const struct book_entry entry = {.entity = change->entity,
                                     .copied = item != NULL ? item->copied : change->copied,
                                     .state = change->state,
                                     .round = book->round,
                                     .code = change->state == REJECT_OPEN ? change->code
                                             : item != NULL               ? item->code
                                                                          : ERROR_NONE,
                                     .reason = change->reason,
                                     .key = change->key,
                                     .at = at,
                                     .again = item != NULL && (!change->queued || item->again)};
    struct apply_note note = {.key = arena_copy_string(arena, key)};
    if (change->state == REJECT_OPEN || entry.copied) {
        note.text = book_entry_text(&entry, arena);
        note.length = strlen(note.text);
    }
    return note;
}

void reject_book_notes(struct reject_book *book, const struct reject_changes *changes,
                       struct arena *arena, const struct apply_note **notes, uint32_t *count)
{
    struct apply_note *made =
        arena_allocate_zeroed(arena, changes->count + (size_t)1, sizeof *made);
    pthread_mutex_lock(&book->mutex);
    for (uint32_t i = 0; i < changes->count; i++) {
        made[i] = note_of(book, &changes->items[i], arena);
    }
    pthread_mutex_unlock(&book->mutex);
    *notes = made;
    *count = changes->count;
}
