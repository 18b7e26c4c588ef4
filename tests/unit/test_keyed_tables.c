/* Whose a table is: what a run makes, finds again after a crash, and removes. */
#include "connectors/keyed/tables.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

/* A database of one table, and a store of one note. */
struct store {
    char text[64];
    uint64_t version; /* STORE_ABSENT: there is none */
};

static struct store store;
static const char *there; /* the id of the table; NULL: there is none */
static bool filled;
static bool makes_nothing; /* the next `make` is interrupted */
static uint32_t drops;
static const char *made_as; /* the id of the next one that is made */

static enum status look(struct database *self, const struct target_table *table,
                        struct arena *arena, struct keyed_there *found, struct error *error)
{
    (void)self;
    (void)table;
    (void)error;
    *found = (struct keyed_there){.exists = there != NULL,
                                  .id = there != NULL ? arena_copy_string(arena, there) : NULL};
    return STATUS_OK;
}

static enum status make(struct database *self, const struct target_table *table,
                        const struct keyed_there *found, bool again, struct arena *arena,
                        const char **id, struct error *error)
{
    (void)self;
    (void)found;
    (void)again;
    (void)arena;
    there = made_as;
    *id = made_as;
    return makes_nothing ? error_set(error, ERROR_NETWORK, table->name, "it is cut off")
                         : STATUS_OK;
}

static enum status drop(struct database *self, const struct target_table *table,
                        const struct keyed_there *found, enum keyed_made made, struct error *error)
{
    (void)self;
    (void)table;
    (void)found;
    (void)made;
    (void)error;
    there = NULL;
    drops++;
    return STATUS_OK;
}

static enum status inspect(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error)
{
    (void)self;
    (void)tables;
    (void)table_count;
    (void)error;
    *table_exists = there != NULL;
    *record_exists = filled;
    return STATUS_OK;
}

static enum status store_get(struct store *self, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    (void)key;
    (void)error;
    if (self->version == STORE_ABSENT) {
        return STATUS_END;
    }
    *value = (struct store_value){arena_copy_string(arena, self->text), strlen(self->text),
                                  self->version};
    return STATUS_OK;
}

static enum status store_put_if(struct store *self, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    (void)key;
    (void)error;
    if (self->version != expected) {
        return STATUS_AGAIN;
    }
    snprintf(self->text, sizeof self->text, "%.*s", (int)length, text);
    *version = ++self->version;
    return STATUS_OK;
}

static enum status store_delete_if(struct store *self, const char *key, uint64_t expected,
                                   struct error *error)
{
    (void)key;
    (void)expected;
    (void)error;
    self->version = STORE_ABSENT;
    return STATUS_OK;
}

static const struct store_functions store_functions = {
    .get = store_get, .put_if = store_put_if, .delete_if = store_delete_if};
static const struct target_functions target = {.inspect = inspect};
static const struct keyed_tables tables = {.look = look, .make = make, .drop = drop};
static const struct keyed_service service = {.name = "test", .tables = &tables};
static const struct connector connector = {.target = &target, .store = &store_functions};

static struct keyed_database database = {
    .base = {.connector = &connector},
    .room = {.service = &service, .run_id = (char *)(uintptr_t) "run", .store = &store}};

/* A new start: nothing is there and nothing is noted. */
static void start(void)
{
    database.room.home = &database.base;
    store = (struct store){.version = STORE_ABSENT};
    there = NULL;
    filled = false;
    makes_nothing = false;
    drops = 0;
    made_as = "a";
}

static enum status prepare(bool *created, struct error *error)
{
    struct target_table table = {.name = "things"};
    const struct prepare_request request = {.tables = &table, .table_count = 1};
    enum status status = keyed_prepare(&database.base, &request, error);
    *created = table.created;
    return status;
}

static enum status remove_it(struct error *error)
{
    const struct target_table table = {.name = "things", .created = true};
    return keyed_remove_table(&database.base, &table, error);
}

static void a_table_is_made_and_found_again(void **state)
{
    struct error error;
    bool created = false;
    (void)state;
    start();
    assert_int_equal(prepare(&created, &error), STATUS_OK);
    assert_true(created);
    filled = true; /* by the run itself */
    made_as = "b";
    assert_int_equal(prepare(&created, &error), STATUS_OK);
    assert_true(created);
    assert_string_equal(there, "a");
    assert_int_equal(remove_it(&error), STATUS_OK);
    assert_null(there);
    assert_int_equal(store.version, STORE_ABSENT);
    assert_int_equal(remove_it(&error), STATUS_OK); /* repeatable */
    assert_int_equal(drops, 1);
}

static void one_that_was_there_is_none_of_the_run(void **state)
{
    struct error error;
    bool created = true;
    (void)state;
    start();
    there = "x";
    assert_int_equal(prepare(&created, &error), STATUS_OK);
    assert_false(created);
    assert_int_equal(store.version, STORE_ABSENT);
}

static void another_one_in_its_place_is_refused_and_stays(void **state)
{
    struct error error;
    bool created = false;
    (void)state;
    start();
    assert_int_equal(prepare(&created, &error), STATUS_OK);
    there = "x";
    assert_int_equal(prepare(&created, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
    assert_non_null(strstr(error.message, "another one has its name"));
    assert_false(created);
    assert_int_equal(remove_it(&error), STATUS_OK);
    assert_string_equal(there, "x");
    there = NULL;
    start();
    assert_int_equal(prepare(&created, &error), STATUS_OK);
    there = NULL;
    assert_int_equal(prepare(&created, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
    assert_null(strstr(error.message, "another one has its name"));
}

/* Of one that was asked for and never noted: it is the run's while it is empty. */
static void what_was_interrupted_goes_on(void **state)
{
    struct error error;
    bool created = false;
    (void)state;
    for (int others = 0; others < 2; others++) {
        start();
        makes_nothing = true;
        assert_int_equal(prepare(&created, &error), STATUS_FAILED);
        assert_false(created);
        makes_nothing = false;
        filled = others != 0;
        assert_int_equal(prepare(&created, &error), others != 0 ? STATUS_FAILED : STATUS_OK);
        assert_int_equal(created, others == 0);
        if (others != 0) {
            assert_int_equal(error.code, ERROR_TARGET_NOT_EMPTY);
        }
        assert_int_equal(remove_it(&error), STATUS_OK);
        assert_int_equal(drops, others == 0);
        assert_int_equal(store.version, STORE_ABSENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_made_and_found_again),
        cmocka_unit_test(one_that_was_there_is_none_of_the_run),
        cmocka_unit_test(another_one_in_its_place_is_refused_and_stays),
        cmocka_unit_test(what_was_interrupted_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
