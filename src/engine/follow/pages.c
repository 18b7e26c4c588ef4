/* Pages that are there no more. */
#include "engine/follow/pages.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

struct page_sweep {
    const struct follow_routes *routes;
    const struct followed_form *form;
    struct follow_lister lister;
    uint32_t count; /* entities */
    struct arena *round;
    struct value_set *roots; /* an entity each: of this round */
    struct value_set *pages; /* likewise: keys that are put */
    struct arena *arena;
    struct value_set *done; /* of all rounds: roots */
};

struct page_sweep *page_sweep_create(const struct follow_routes *routes,
                                     const struct followed_form *form, struct follow_lister lister)
{
    struct page_sweep *made = memory_allocate_zeroed(1, sizeof *made);
    uint32_t count = form->plan->entity_count;
    made->routes = routes;
    made->form = form;
    made->lister = lister;
    made->count = count;
    made->round = arena_create(0);
    made->arena = arena_create(0);
    made->roots = memory_allocate_zeroed(count + (size_t)1, sizeof *made->roots);
    made->pages = memory_allocate_zeroed(count + (size_t)1, sizeof *made->pages);
    made->done = memory_allocate_zeroed(count + (size_t)1, sizeof *made->done);
    return made;
}

void page_sweep_destroy(struct page_sweep *sweep)
{
    if (sweep == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        value_set_free(&sweep->roots[i]);
        value_set_free(&sweep->pages[i]);
        value_set_free(&sweep->done[i]);
    }
    free(sweep->roots);
    free(sweep->pages);
    free(sweep->done);
    arena_destroy(sweep->round);
    arena_destroy(sweep->arena);
    free(sweep);
}

enum status page_sweep_add_root(struct page_sweep *sweep, uint32_t entity, const struct cell *cells,
                                struct error *error)
{
    return value_set_add(&sweep->roots[entity], sweep->round, cells,
                         sweep->routes->keys[entity].count, error);
}

enum status page_sweep_add_page(struct page_sweep *sweep, uint32_t entity, const struct cell *key,
                                struct error *error)
{
    return sweep->routes->keys[entity].pages
               ? value_set_add(&sweep->pages[entity], sweep->round, key,
                               sweep->form->tables[entity].key.count, error)
               : STATUS_OK;
}

/* ---- one root */

struct root_pages {
    struct page_sweep *sweep;
    uint32_t entity;
    const struct cell *cells; /* of the root */
    struct cell *key;         /* of a page */
    struct followed_set *set;
};

/* The digits of a page's number are as its template writes them: other texts are no pages. */
static bool is_number(const struct follow_key *key, const char *digits, size_t length)
{
    bool is = length > 0 && length <= 18 && length >= key->pad;
    for (size_t i = 0; i < length && is; i++) {
        is = digits[i] >= '0' && digits[i] <= '9';
    }
    return is && (digits[0] != '0' || length == key->pad);
}

/* Between what stands before and behind the number. */
static bool find_number(const struct root_pages *root, const char **digits, size_t *length)
{
    const struct follow_key *key = &root->sweep->routes->keys[root->entity];
    if (key->page_in_text) {
        const struct cell *before = &root->cells[key->count - 2];
        const struct cell *behind = &root->cells[key->count - 1];
        size_t around = (size_t)before->length + behind->length;
        if (*length <= around || memcmp(*digits, before->text, before->length) != 0 ||
            memcmp(*digits + *length - behind->length, behind->text, behind->length) != 0) {
            return false;
        }
        *digits += before->length;
        *length -= around;
    }
    return is_number(key, *digits, *length);
}

/* As the mapper makes it, so that both are one key for whoever compares them. */
static enum status take_page(void *context, const char *text, size_t length, struct error *error)
{
    const struct root_pages *root = context;
    const struct follow_key *key = &root->sweep->routes->keys[root->entity];
    const struct column_list names = root->sweep->form->tables[root->entity].key;
    const char *digits = text;
    size_t digit_count = length;
    uint64_t number = 0;
    bool made = false;
    if (!find_number(root, &digits, &digit_count) ||
        text_to_uint64(digits, digit_count, &number) != STATUS_OK) {
        return STATUS_OK;
    }
    root->key[key->page] =
        key->page_in_text ? cell_text(text, length) : cell_int64((int64_t)number);
    enum status status =
        value_set_find(&root->sweep->pages[root->entity], root->key, names.count, &made, error);
    return status == STATUS_OK && !made
               ? followed_set_delete(root->set, root->entity, root->key, names.count, error)
               : status;
}

static enum status sweep_root(struct page_sweep *sweep, uint32_t entity, const struct cell *cells,
                              struct followed_set *set, struct error *error)
{
    const struct follow_key *key = &sweep->routes->keys[entity];
    const struct target_table *table = &sweep->form->tables[entity];
    struct cell *values =
        arena_allocate_zeroed(sweep->round, table->key.count + (size_t)1, sizeof *values);
    struct apply_listing listing = {.table = table, .values = values, .wanted = key->page};
    struct root_pages root = {
        .sweep = sweep, .entity = entity, .cells = cells, .key = values, .set = set};
    for (uint32_t i = 0, at = 0; i < table->key.count; i++) {
        values[i] = i == key->page ? cell_missing() : cells[at++];
    }
    if (key->page_in_text) {
        listing.begins = cells[key->count - 2].text;
        listing.begins_length = cells[key->count - 2].length;
    }
    return sweep->lister.list(sweep->lister.context, &listing, take_page, &root, error);
}

/* ---- rounds */

enum status page_sweep_end_round(struct page_sweep *sweep, struct followed_set *set,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t e = 0; e < sweep->count && status == STATUS_OK; e++) {
        struct value_set *roots = &sweep->roots[e];
        value_set_settle(roots);
        value_set_settle(&sweep->pages[e]);
        for (uint32_t i = 0; i < roots->count && status == STATUS_OK; i++) {
            status = sweep_root(sweep, e, roots->entries[i].cells, set, error);
            if (status == STATUS_OK) {
                status = value_set_add(&sweep->done[e], sweep->arena, roots->entries[i].cells,
                                       sweep->routes->keys[e].count, error);
            }
        }
        value_set_clear(roots);
        value_set_clear(&sweep->pages[e]);
    }
    arena_reset(sweep->round);
    return status;
}

enum status page_sweep_former(struct page_sweep *sweep, uint32_t entity, const struct cell *cells,
                              struct followed_set *set, struct error *error)
{
    bool done = false;
    value_set_settle(&sweep->done[entity]);
    enum status status = value_set_find(&sweep->done[entity], cells,
                                        sweep->routes->keys[entity].count, &done, error);
    return status == STATUS_OK && !done ? sweep_root(sweep, entity, cells, set, error) : status;
}
