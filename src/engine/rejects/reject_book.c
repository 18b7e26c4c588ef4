/* Reading the book of rejects, and summing up what is not settled. */
#include "engine/rejects/reject_book.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_book_internal.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_BITS = 16 };

struct database *book_home(const struct run *run)
{
    struct run_session *session = run->session;
    bool beside_position = run->header.feed != NULL || session->home == NULL;
    return beside_position ? session->target : session->home;
}

/* ---- what is known one by one */

struct book_item *book_find(const struct reject_book *book, const struct reject_id *id)
{
    uint32_t at = name_index_find(&book->index, (const char *)id, sizeof *id);
    return at != NAME_INDEX_NONE ? &book->items[at] : NULL;
}

struct book_item *book_add(struct reject_book *book, const struct reject_id *id, uint32_t entity)
{
    if (book->item_count == BOOK_ITEMS_MAX) {
        return NULL;
    }
    book->items =
        memory_make_room(book->items, book->item_count, &book->item_capacity, sizeof *book->items);
    const char *name = arena_copy(book->arena, id, sizeof *id);
    struct book_item *item = &book->items[book->item_count];
    *item = (struct book_item){.id = *id, .entity = entity};
    (void)name_index_add(&book->index, name, sizeof *id, book->item_count++);
    return item;
}

void book_count(struct reject_book *book, const struct book_item *item, int sign)
{
    uint64_t one = sign > 0 ? 1 : UINT64_MAX;
    uint64_t *of = item->settled  ? (item->copied ? &book->settled[item->entity] : NULL)
                   : item->copied ? &book->copied_open[item->entity]
                                  : &book->open[item->entity];
    if (of != NULL) {
        *of += one;
    }
    if (!item->settled && item->id.kind == 's') {
        atomic_fetch_add(&book->sources_open, one);
    } else if (!item->settled && item->id.kind == 't') {
        atomic_fetch_add(&book->targets_open, one);
    }
}

void book_keep_reason(struct reject_book *book, uint32_t entity, enum error_code code,
                      const char *reason)
{
    for (uint32_t i = 0; i < book->reason_count; i++) {
        if (book->reasons[i].entity == entity && book->reasons[i].code == code) {
            return;
        }
    }
    if (reason == NULL) {
        return;
    }
    book->reasons = memory_make_room(book->reasons, book->reason_count, &book->reason_capacity,
                                     sizeof *book->reasons);
    book->reasons[book->reason_count++] = (struct book_reason){
        .entity = entity, .code = code, .text = arena_copy_string(book->arena, reason)};
}

/* ---- reading */

static struct reject_book *book_create(struct run *run)
{
    struct reject_book *made = memory_allocate_zeroed(1, sizeof *made);
    uint32_t count = run->session->plan->entity_count;
    made->run = run;
    made->arena = arena_create(0);
    made->index.arena = made->arena;
    made->open = arena_allocate_zeroed(made->arena, count + (size_t)1, sizeof *made->open);
    made->settled = arena_allocate_zeroed(made->arena, count + (size_t)1, sizeof *made->settled);
    made->copied_open =
        arena_allocate_zeroed(made->arena, count + (size_t)1, sizeof *made->copied_open);
    made->copy_is_void =
        arena_allocate_zeroed(made->arena, count + (size_t)1, sizeof *made->copy_is_void);
    made->queue.arena = arena_create(0);
    made->round = run->claim.epoch << ROUND_BITS;
    pthread_mutex_init(&made->mutex, NULL);
    return made;
}

void reject_book_free(struct reject_book *book)
{
    if (book == NULL) {
        return;
    }
    arena_destroy(book->queue.arena);
    pthread_mutex_destroy(&book->mutex);
    free(book->items);
    free(book->reasons);
    arena_destroy(book->arena);
    free(book);
}

struct reading_book {
    struct reject_book *book;
    char prefix[STORE_KEY_BYTES];
    struct arena *scratch;
};

static enum status take_entry(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    struct reading_book *reading = context;
    struct reject_book *book = reading->book;
    uint32_t entities = book->run->session->plan->entity_count;
    struct reject_id id = {0};
    struct book_entry entry;
    uint32_t entity;
    if (book_copy_entity(key, reading->prefix, &entity) && entity < entities) {
        book->copy_is_void[entity] = true;
        return STATUS_OK;
    }
    arena_reset(reading->scratch);
    if (!book_entry_id(key, reading->prefix, &id)) {
        return STATUS_OK;
    }
    if (book_entry_read(key, value->text, reading->scratch, &entry, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (entry.entity >= entities) {
        return error_set(error, ERROR_LEDGER_INVALID, key,
                         "is of an entity that the plan does not have");
    }
    struct book_item counted = {.id = id,
                                .entity = entry.entity,
                                .code = entry.code,
                                .round = entry.round,
                                .copied = entry.copied,
                                .settled = entry.state != REJECT_OPEN,
                                .counted = true};
    struct book_item *item = book_add(book, &id, entry.entity);
    if (item != NULL) {
        *item = counted;
    }
    book->round = entry.round > book->round ? entry.round : book->round;
    book_count(book, &counted, 1);
    if (!counted.settled) {
        book_keep_reason(book, entry.entity, entry.code, entry.reason);
    }
    return STATUS_OK;
}

static enum status read_entries(struct reject_book *book, struct database *home,
                                struct error *error)
{
    const struct store_functions *functions = home->connector->store;
    struct reading_book reading = {.book = book};
    struct store *store = NULL;
    if (functions == NULL || (home->capabilities & CAPABILITY_NO_RESUME) != 0) {
        return STATUS_OK;
    }
    book->functions = functions;
    book_prefix(reading.prefix, book->run->id);
    reading.scratch = arena_create(0);
    enum status status = functions->open(home, &store, error);
    if (status == STATUS_OK) {
        status = functions->scan(store, reading.prefix, take_entry, &reading, error);
        functions->close(store);
    }
    arena_destroy(reading.scratch);
    return status;
}

enum status reject_book_load(struct run *run, struct error *error)
{
    struct reject_book *made = book_create(run);
    if (read_entries(made, book_home(run), error) != STATUS_OK) {
        reject_book_free(made);
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&run->state_mutex);
    struct reject_book *former = run->rejects.book;
    made->round = former != NULL && former->round > made->round ? former->round : made->round;
    run->rejects.book = made;
    pthread_mutex_unlock(&run->state_mutex);
    reject_book_free(former);
    return STATUS_OK;
}

/* ---- summing up */

/* The copy's rejects of an entity that still stand. */
static uint64_t copied_of(const struct run *run, const struct reject_book *book, uint32_t entity)
{
    uint64_t rejected = run->totals[entity].rejected;
    if (book == NULL) {
        return rejected;
    }
    uint64_t settled = book->settled[entity];
    return book->copy_is_void[entity] || settled > rejected ? 0 : rejected - settled;
}

/* Entries that no count of the copy stands for. */
static uint64_t entries_of(const struct reject_book *book, uint32_t entity)
{
    return book->open[entity] + (book->copy_is_void[entity] ? book->copied_open[entity] : 0);
}

struct reject_book_counts reject_book_counts_of(const struct run *run, uint32_t entity)
{
    struct reject_book *book = run->rejects.book;
    if (book == NULL) {
        return (struct reject_book_counts){.unsettled = copied_of(run, NULL, entity)};
    }
    pthread_mutex_lock(&book->mutex);
    uint64_t copied = copied_of(run, book, entity);
    uint64_t added = entries_of(book, entity);
    pthread_mutex_unlock(&book->mutex);
    return (struct reject_book_counts){.unsettled = copied + added,
                                       .settled = run->totals[entity].rejected - copied,
                                       .added = added};
}

uint64_t reject_book_unsettled(const struct run *run)
{
    uint64_t count = 0;
    if (run->rejects.of_copy != NULL) {
        return run->rejects.of_copy->unsettled;
    }
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        count += reject_book_counts_of(run, i).unsettled;
    }
    return count;
}

struct adding {
    struct reject_book_sum *sum;
    struct arena *arena;
    const struct run *run;
    uint32_t capacity;
};

static struct reject_book_line *line_of(struct adding *adding, uint32_t entity,
                                        enum error_code code)
{
    const struct plan *plan = adding->run->session->plan;
    const struct plan_entity *of = &plan->entities[entity];
    struct reject_book_sum *sum = adding->sum;
    for (uint32_t i = 0; i < sum->line_count; i++) {
        if (sum->lines[i].entity == of->name && sum->lines[i].code == code) {
            return &sum->lines[i];
        }
    }
    if (sum->line_count == adding->capacity) {
        adding->capacity = adding->capacity == 0 ? 8 : 2 * adding->capacity;
        struct reject_book_line *grown =
            arena_allocate_zeroed(adding->arena, adding->capacity, sizeof *grown);
        if (sum->line_count > 0) {
            memcpy(grown, sum->lines, sum->line_count * sizeof *grown);
        }
        sum->lines = grown;
    }
    struct reject_book_line *line = &sum->lines[sum->line_count++];
    *line = (struct reject_book_line){
        .table = plan->tables[of->table].target.name, .entity = of->name, .code = code};
    return line;
}

static void add_line(struct adding *adding, uint32_t entity, enum error_code code, uint64_t count)
{
    if (count > 0) {
        line_of(adding, entity, code)->count += count;
        adding->sum->unsettled += count;
    }
}

static uint64_t settled_for(const struct reject_book *book, uint32_t entity, enum error_code code)
{
    uint64_t count = 0;
    for (uint32_t i = 0; book != NULL && i < book->item_count; i++) {
        const struct book_item *item = &book->items[i];
        count += item->copied && item->settled && item->entity == entity && item->code == code;
    }
    return count;
}

/* By reason as far as the reasons are known; the sum of all is right whatever they are. */
static void add_copied(struct adding *adding, const struct reject_book *book, uint32_t entity)
{
    const struct tally *total = &adding->run->totals[entity];
    uint64_t left = copied_of(adding->run, book, entity);
    for (int i = 0; i < TALLY_REASONS && left > 0; i++) {
        const struct tally_reason *reason = &total->reasons[i];
        uint64_t settled = reason->code == ERROR_NONE ? 0 : settled_for(book, entity, reason->code);
        uint64_t count = reason->count > settled ? reason->count - settled : 0;
        count = count > left ? left : count;
        add_line(adding, entity, reason->code, count);
        left -= count;
    }
    add_line(adding, entity, ERROR_NONE, left);
}

static void add_entries(struct adding *adding, const struct reject_book *book, uint32_t entity)
{
    uint64_t left = entries_of(book, entity);
    for (uint32_t i = 0; i < book->item_count && left > 0; i++) {
        const struct book_item *item = &book->items[i];
        bool counts = !item->copied || book->copy_is_void[entity];
        if (item->entity == entity && counts && !item->settled) {
            add_line(adding, entity, item->code, 1);
            left--;
        }
    }
    add_line(adding, entity, ERROR_NONE, left);
}

static void add_reasons(struct adding *adding, const struct reject_book *book)
{
    const struct plan *plan = adding->run->session->plan;
    for (uint32_t r = 0; r < book->reason_count; r++) {
        const struct book_reason *reason = &book->reasons[r];
        for (uint32_t i = 0; i < adding->sum->line_count; i++) {
            struct reject_book_line *line = &adding->sum->lines[i];
            if (line->entity == plan->entities[reason->entity].name && line->code == reason->code) {
                line->reason = arena_copy_string(adding->arena, reason->text);
            }
        }
    }
}

void reject_book_sum(const struct run *run, struct arena *arena, struct reject_book_sum *sum)
{
    struct reject_book *book = run->rejects.book;
    struct adding adding = {.sum = sum, .arena = arena, .run = run};
    *sum = (struct reject_book_sum){0};
    if (run->rejects.of_copy != NULL) {
        *sum = *run->rejects.of_copy;
        return;
    }
    if (book != NULL) {
        pthread_mutex_lock(&book->mutex);
    }
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        add_copied(&adding, book, i);
        if (book != NULL) {
            add_entries(&adding, book, i);
        }
    }
    if (book != NULL) {
        add_reasons(&adding, book);
        pthread_mutex_unlock(&book->mutex);
    }
}

enum status reject_book_ask(struct run *run, struct arena *arena, struct reject_book_sum *sum,
                            struct error *error)
{
    *sum = (struct reject_book_sum){0};
    if (reject_book_load(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    reject_book_sum(run, arena, sum);
    return STATUS_OK;
}

/* ---- for people */

void reject_book_describe(const struct reject_book_sum *sum, struct buffer *out)
{
    enum { LINES_SHOWN = 4 };
    char count[32];
    text_human_count(sum->unsettled, count, sizeof count);
    buffer_format(out, "%s record%s missing, since %s rejected%s", count,
                  sum->unsettled == 1 ? " is" : "s are",
                  sum->unsettled == 1 ? "it was" : "they were", sum->line_count > 0 ? ": " : "");
    for (uint32_t i = 0; i < sum->line_count && i < LINES_SHOWN; i++) {
        const struct reject_book_line *line = &sum->lines[i];
        text_human_count(line->count, count, sizeof count);
        buffer_format(out, "%s%s of %s", i > 0 ? ", " : "", count, line->table);
        if (line->code != ERROR_NONE) {
            buffer_format(out, " (%s%s%s)", error_describe(line->code)->name,
                          line->reason != NULL ? ": " : "",
                          line->reason != NULL ? line->reason : "");
        }
    }
    buffer_append_string(out, sum->line_count > LINES_SHOWN ? ", …" : "");
}
