/* Plans: YAML or JSON to a resolved plan, against databases of each nature. */
#include "support.h"

#include "connectors/common/registry.h"
#include "plan/plan.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static const char shop[] =
    "CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Name TEXT NOT NULL, Country TEXT,"
    " SupportRepId INTEGER REFERENCES Employee);"
    "CREATE TABLE Employee(EmployeeId INTEGER PRIMARY KEY, Name TEXT, HireDate DATETIME);"
    "CREATE TABLE Invoice(InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER NOT NULL REFERENCES"
    " Customer, Total NUMERIC(10,2));"
    "CREATE TABLE Line(LineId INTEGER PRIMARY KEY, InvoiceId INTEGER REFERENCES Invoice, Price"
    " NUMERIC(10,2), Note TEXT);"
    "CREATE INDEX LineInvoice ON Line(InvoiceId);"
    "CREATE TABLE Tag(A TEXT, B BLOB, PRIMARY KEY (A, B)) WITHOUT ROWID;"
    "CREATE TABLE Keyless(x, y REAL);"
    "CREATE VIEW Rich AS SELECT * FROM Customer;";
static const char items[] =
    "{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"SK\":{\"S\":\"P\"},\"Id\":{\"N\":\"1\"},"
    "\"Lines\":{\"L\":[{\"M\":{\"Id\":{\"N\":\"7\"}}}]}}}\n";
static const char lines[] = "{\"id\":1,\"a\":\"x\",\"m\":{\"b\":[1,2]},\"d\":1.50}\n";

/* Opened once: plans are read against them, and nothing is written. */
static struct arena *databases_arena;
static struct database *databases[6];
static struct schema *schemas[3];
static const char *const kinds[] = {"sqlite", "dynamodb-json", "jsonl"};

static struct database *open_one(const char *kind, const char *name, enum open_mode mode)
{
    char uri[300];
    snprintf(uri, sizeof uri, "%s:%s/%s", kind, fuzz_folder(), name);
    struct database *database = fuzz_open(uri, mode, databases_arena);
    FUZZ_REQUIRE(database != NULL);
    return database;
}

static void open_all(void)
{
    static const char *const names[] = {"shop.db", "items", "lines"};
    static const char *const targets[] = {"new.db", "out", "out2"};
    char path[300];
    sqlite3 *connection = NULL;
    struct error error = {0};
    databases_arena = arena_create(0);
    snprintf(path, sizeof path, "%s/shop.db", fuzz_folder());
    FUZZ_REQUIRE(sqlite3_open(path, &connection) == SQLITE_OK);
    FUZZ_REQUIRE(sqlite3_exec(connection, shop, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(connection);
    fuzz_write("items/family/data-1.json", 24, items, strlen(items));
    fuzz_write("lines/thing/part-1.jsonl", 24, lines, strlen(lines));
    for (int at = 0; at < 3; at++) {
        databases[at] = open_one(kinds[at], names[at], OPEN_SOURCE);
        databases[3 + at] = open_one(kinds[at], targets[at], OPEN_TARGET);
        enum status status =
            databases[at]->connector->catalog->describe(databases[at], &schemas[at], &error);
        FUZZ_REQUIRE(status == STATUS_OK);
    }
}

static int kind_of(const char *uri)
{
    for (int at = 0; uri != NULL && at < 3; at++) {
        if (strncmp(uri, kinds[at], strlen(kinds[at])) == 0) {
            return at;
        }
    }
    return 0;
}

static void resolve(const struct plan_document *document)
{
    struct plan_settings settings = {.existing = -1};
    int source = kind_of(plan_document_source(document));
    int target = kind_of(plan_document_target(document));
    char hash[33] = "";

    /* Twice: equal plans are known by equal texts, whatever the process. */
    for (int round = 0; round < 2; round++) {
        struct plan *plan = NULL;
        struct buffer faults = {0};
        struct error error = {0};
        enum status status = plan_resolve(document, databases[source], schemas[source],
                                          databases[3 + target], &settings, &plan, &faults, &error);
        if (status == STATUS_OK) {
            FUZZ_REQUIRE(round == 0 || strcmp(hash, plan->mapping_hash) == 0);
            snprintf(hash, sizeof hash, "%s", plan->mapping_hash);
        } else {
            fuzz_check_error(&error);
            FUZZ_REQUIRE(hash[0] == '\0');
        }
        FUZZ_REQUIRE(text_is_utf8(buffer_string(&faults), faults.length));
        buffer_free(&faults);
        plan_destroy(plan);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan_document *document = NULL;
    struct buffer faults = {0};
    struct error error = {0};
    if (databases_arena == NULL) {
        open_all();
    }
    enum status status =
        plan_document_parse((const char *)data, size, "p.yaml", &document, &faults, &error);
    if (status == STATUS_OK) {
        resolve(document);
    } else {
        fuzz_check_error(&error);
    }
    FUZZ_REQUIRE(text_is_utf8(buffer_string(&faults), faults.length));
    buffer_free(&faults);
    plan_document_destroy(document);
    return 0;
}
