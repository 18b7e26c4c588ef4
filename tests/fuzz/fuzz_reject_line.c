/* Lines of a reject file that somebody mended. */
#include "support.h"

#include "engine/formats/mended_line.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena_of_plan;
static struct plan *plan;
static struct plan_document *document;
static struct database *source;
static struct database *target;
static struct schema *schema;

static void make_plan(void)
{
    static const char text[] =
        "transhume: 1\nsource: sqlite:x\ntarget: dynamodb-json:y\ntables:\n  family:\n"
        "    key: { partition: PK, sort: SK }\n    entities:\n      parent:\n        from: parent\n"
        "        fields: { PK: \"P#{id}\", SK: parent, \"*\": copy }\n";
    struct plan_settings settings = {.existing = -1};
    struct buffer faults = {0};
    struct error error = {0};
    sqlite3 *connection = NULL;
    char uri[300];
    arena_of_plan = arena_create(0);
    snprintf(uri, sizeof uri, "%s/shop.db", fuzz_folder());
    FUZZ_REQUIRE(sqlite3_open(uri, &connection) == SQLITE_OK);
    FUZZ_REQUIRE(sqlite3_exec(connection,
                              "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, b BLOB,"
                              " p NUMERIC(10,2), at DATETIME)",
                              NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(connection);
    snprintf(uri, sizeof uri, "sqlite:%s/shop.db", fuzz_folder());
    source = fuzz_open(uri, OPEN_SOURCE, arena_of_plan);
    snprintf(uri, sizeof uri, "dynamodb-json:%s/out", fuzz_folder());
    target = fuzz_open(uri, OPEN_TARGET, arena_of_plan);
    FUZZ_REQUIRE(source->connector->catalog->describe(source, &schema, &error) == STATUS_OK);
    FUZZ_REQUIRE(plan_document_parse(text, strlen(text), "p.yaml", &document, &faults, &error) ==
                 STATUS_OK);
    FUZZ_REQUIRE(plan_resolve(document, source, schema, target, &settings, &plan, &faults,
                              &error) == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    if (plan == NULL) {
        make_plan();
    }
    while (rest.length > 0) {
        struct text line = fuzz_line(&rest);
        struct mended_line mended = {0};
        struct mended_line again = {0};
        struct error error = {0};
        if (mended_line_check(plan, line.data, line.length, &mended, &error) != STATUS_OK) {
            fuzz_check_error(&error);
            continue;
        }
        FUZZ_REQUIRE(mended_line_scan(plan, line.data, line.length, &again, &error) == STATUS_OK);
        FUZZ_REQUIRE(mended.entity == again.entity && mended.entity < plan->entity_count);
        const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
        struct batch *batch = batch_create(shape, batch_shape_width(shape) + MENDED_EXTRA_CELLS, 4);
        FUZZ_REQUIRE(mended_line_append(line.data, line.length, batch, &error) == STATUS_OK);
        FUZZ_REQUIRE(batch->row_count == 1);
        batch_destroy(batch);
    }
    return 0;
}
