/* Runs the suite for every connector that can be a target: one line here is all that a new one
 * adds. */
#include "contract.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const sqlite_settings[] = {"PRAGMA foreign_keys = ON", "PRAGMA foreign_keys",
                                              "CREATE TEMP TABLE here (a)",
                                              "SELECT count(*) FROM temp.sqlite_schema", NULL};
static const struct contract_alter sqlite_alter_words = {
    .create = "CREATE TABLE altered (id INTEGER PRIMARY KEY)",
    .insert = "INSERT INTO altered VALUES ((SELECT coalesce(max(id), 0) + 1 FROM altered))",
    .count = "SELECT count(*) FROM altered",
    .alter = "ALTER TABLE altered ADD COLUMN more INTEGER",
    .wrong = "INSERT INTO altered SELEKT 1",
    .endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM "
               "n",
    .settings = sqlite_settings};

static const char *const postgres_settings[] = {"SET search_path = ''",
                                                "SHOW search_path",
                                                "SET client_encoding = 'LATIN1'",
                                                "SHOW client_encoding",
                                                "SET standard_conforming_strings = off",
                                                "SHOW standard_conforming_strings",
                                                "SET default_transaction_read_only = on",
                                                "SHOW default_transaction_read_only",
                                                "SET ROLE pg_read_all_data",
                                                "SELECT current_user",
                                                "CREATE TEMP TABLE here (a int)",
                                                "SELECT to_regclass('pg_temp.here')",
                                                NULL};
static const struct contract_alter postgres_alter_words = {
    .create = "CREATE TABLE altered (id INTEGER PRIMARY KEY)",
    .insert = "INSERT INTO altered SELECT coalesce(max(id), 0) + 1 FROM altered",
    .count = "SELECT count(*) FROM altered",
    .alter = "ALTER TABLE altered ADD COLUMN more INTEGER",
    .wrong = "INSERT INTO altered SELEKT 1",
    .endless = "SELECT pg_sleep(60)",
    .settings = postgres_settings};

static const char *const mysql_settings[] = {"SET sql_mode = 'ANSI_QUOTES'",
                                             "SELECT @@sql_mode",
                                             "SET autocommit = 0",
                                             "SELECT @@autocommit",
                                             "SET NAMES latin1",
                                             "SELECT @@character_set_client",
                                             "SET foreign_key_checks = 0",
                                             "SELECT @@foreign_key_checks",
                                             "SET time_zone = '+05:00'",
                                             "SELECT @@time_zone",
                                             "USE information_schema",
                                             "SELECT database()",
                                             NULL};
static const struct contract_alter mysql_alter_words = {
    .create = "CREATE TABLE altered (id INTEGER AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
    .insert = "INSERT INTO altered VALUES ()",
    .count = "SELECT count(*) FROM altered",
    .alter = "ALTER TABLE altered ADD COLUMN more INTEGER",
    .wrong = "INSERT INTO altered SELEKT 1",
    .endless = "SELECT count(*) FROM altered WHERE SLEEP(60) = 0",
    .settings = mysql_settings};

static const struct contract_alter toy_alter_words = {.language = ALTER_HTTP,
                                                      .create = "CREATE altered",
                                                      .insert = "PUT altered 1",
                                                      .count = "COUNT altered",
                                                      .wrong = "PUT nothing 1"};

static const struct contract_alter cassandra_alter_words = {
    .language = ALTER_CQL,
    .create = "CREATE TABLE altered (id int PRIMARY KEY)",
    .insert = "INSERT INTO altered (id) VALUES (1)",
    .count = "SELECT count(*) FROM altered",
    .alter = "ALTER TABLE altered ADD more int",
    .wrong = "INSERT INTO altered SELEKT 1"};

#define DYNAMODB_KEY "\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"N\"}]"
#define DYNAMODB_UNITS \
    ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":5}"
static const struct contract_alter dynamodb_alter_words = {
    .language = ALTER_DYNAMODB,
    .create =
        "{\"operation\":\"CreateTable\",\"input\":{\"TableName\":\"altered\"," DYNAMODB_KEY
        ",\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]" DYNAMODB_UNITS "}}",
    .insert = "{\"operation\":\"PutItem\",\"input\":{\"TableName\":\"altered\",\"Item\":{\"id\":"
              "{\"N\":\"1\"}}}}",
    .count = "{\"operation\":\"Scan\",\"input\":{\"TableName\":\"altered\",\"Select\":\"COUNT\"}}",
    .wrong = "{\"operation\":\"PutItem\",\"input\":{\"TableName\":\"nothing\",\"Item\":{}}}"};

static const struct contract_alter mongodb_alter_words = {
    .language = ALTER_MONGO,
    .create = "{\"create\":\"altered\"}",
    .insert = "{\"insert\":\"altered\",\"documents\":[{\"_id\":1}]}",
    .count = "{\"count\":\"altered\"}",
    .counts_missing = true,
    .wrong = "{\"insert\":\"altered\",\"documents\":7}"};

static const struct contract_alter opensearch_alter_words = {
    .language = ALTER_HTTP,
    .create = "PUT /${prefix}altered",
    .insert = "PUT /${prefix}altered/_doc/1?refresh=true\n\n{\"a\":1}",
    .count = "GET /${prefix}altered/_count",
    .wrong = "PUT /${prefix}altered/_nothing/1\n\n{}"};

static const struct contract_entry entries[] = {
    {.name = "sqlite",
     .alter = &sqlite_alter_words,
     .uri_format = "sqlite:%s",
     .query = "SELECT value, id FROM things WHERE id < 3"},
    {.name = "dynamodb-json", .uri_format = "dynamodb-json:%s"},
    {.name = "csv", .uri_format = "csv:%s"},
    {.name = "jsonl", .uri_format = "jsonl:%s"},
    {.name = "duckdb",
     .uri_format = "duckdb:%s.duckdb",
     .library = library_duckdb,
     .opens_once = true,
     .query = "SELECT value, id FROM things WHERE id < 3"},
    {.name = "parquet", .uri_format = "parquet:%s", .one_kind = true},
    {.name = "arrow", .uri_format = "arrow:%s", .one_kind = true},
    {.name = "csv-s3",
     .connector = "csv",
     .lacks_apply = true,
     .sends_at_commit = true,
     .uri_format = "csv:s3://contract/all?endpoint=http://%s",
     .server = server_versitygw},
    {.name = "toy", .alter = &toy_alter_words, .uri_format = "toy:%s"},
    {.name = "dynamodb",
     .alter = &dynamodb_alter_words,
     .uri_format = "dynamodb://us-east-1?endpoint=http://%s",
     .server = server_dynoxide,
     .query = "{\"TableName\": \"things\", \"FilterExpression\": \"id < :n\", "
              "\"ExpressionAttributeValues\": {\":n\": {\"N\": \"3\"}}}"},
    {.name = "cassandra",
     .alter = &cassandra_alter_words,
     .uri_format = "cassandra://127.0.0.1:%s?create=true",
     .database = database_cassandra,
     .query = "SELECT value, id FROM things WHERE id < 3 ALLOW FILTERING"},
    {.name = "redis", .uri_format = "redis://127.0.0.1:%s", .database = database_redis},
    {.name = "redis-json",
     .connector = "redis",
     .uri_format = "redis://127.0.0.1:%s?form=json",
     .database = database_redis},
    {.name = "opensearch",
     .alter = &opensearch_alter_words,
     .uri_format = "opensearch://127.0.0.1:%s",
     .database = database_opensearch},
    {.name = "mongodb",
     .alter = &mongodb_alter_words,
     .uri_format = "mongodb://127.0.0.1:%s",
     .database = database_mongodb},
    {.name = "postgres",
     .alter = &postgres_alter_words,
     .uri_format = "postgres://postgres@127.0.0.1:%s",
     .database = database_postgres,
     .query = "SELECT value, id FROM SCHEMA.things WHERE id < 3"},
    {.name = "mysql",
     .alter = &mysql_alter_words,
     .uri_format = "mysql://root@127.0.0.1:%s",
     .database = database_mariadb,
     .query = "SELECT value, id FROM things WHERE id < 3"},
    {.name = "mysql9",
     .alter = &mysql_alter_words,
     .connector = "mysql",
     .uri_format = "mysql://root@127.0.0.1:%s",
     .database = database_mysql,
     .query = "SELECT value, id FROM things WHERE id < 3"},
};

static const struct {
    const char *name;
    void (*run)(const struct contract_entry *entry);
} tests[] = {
    {"descriptor", contract_test_descriptor},
    {"values", contract_test_values},
    {"normal form", contract_test_normal_form},
    {"large values", contract_test_large},
    {"spans", contract_test_spans},
    {"names", contract_test_names},
    {"rejects", contract_test_rejects},
    {"existing", contract_test_existing},
    {"abandon", contract_test_abandon},
    {"several chunks", contract_test_several_chunks},
    {"duplicates", contract_test_duplicates},
    {"distinct", contract_test_distinct},
    {"store", contract_test_store},
    {"ledger", contract_test_ledger},
    {"held", contract_test_held},
    {"lease", contract_test_lease},
    {"lease over", contract_test_lease_over},
    {"fetch", contract_test_fetch},
    {"delete", contract_test_delete},
    {"fence", contract_test_fence},
    {"reopen", contract_test_reopen},
    {"kills", contract_test_kills},
    {"delete kills", contract_test_delete_kills},
    {"restore", contract_test_restore},
    {"undo", contract_test_undo},
    {"undo_deleted", contract_test_undo_deleted},
    {"remove table", contract_test_remove_table},
    {"empty table", contract_test_empty_table},
    {"forget", contract_test_forget},
    {"reopen kills", contract_test_reopen_kills},
    {"status kills", contract_test_status_kills},
    {"groups", contract_test_groups},
    {"native types", contract_test_native_types},
    {"query", contract_test_query},
    {"check table", contract_test_check_table},
    {"long names", contract_test_long_names},
    {"caveats", contract_test_caveats},
    {"count", contract_test_count},
    {"shared spans", contract_test_shared_spans},
    {"load", contract_test_load},
    {"roots by key", contract_test_roots_by_key},
    {"many roots by key", contract_test_many_roots},
    {"query by key", contract_test_query_by_key},
    {"delete keyless", contract_test_delete_keyless},
    {"partnerless", contract_test_partnerless},
    {"settle kills", contract_test_settle_kills},
    {"express", contract_test_express},
    {"objects", contract_test_objects},
    {"apply", contract_test_apply},
    {"apply keys", contract_test_apply_keys},
    {"apply killed", contract_test_apply_killed},
    {"feed", contract_test_feed},
    {"alter lock", contract_test_alter_lock},
    {"alter steal", contract_test_alter_steal},
    {"alter history", contract_test_alter_history},
    {"alter fence", contract_test_alter_fence},
    {"alter transactions", contract_test_alter_transactions},
    {"alter run", contract_test_alter_run},
    {"alter settings", contract_test_alter_settings},
    {"alter settle", contract_test_alter_settle},
    {"alter stays", contract_test_alter_stays},
    {"alter kills", contract_test_alter_kills},
};

enum { ENTRIES = sizeof entries / sizeof *entries, TESTS = sizeof tests / sizeof *tests };

struct one {
    const struct contract_entry *entry;
    void (*run)(const struct contract_entry *entry);
};

/* Its module is built only where its library is. */
static bool is_lacking(const struct contract_entry *entry)
{
    const char *how = NULL;
    const char *name = registry_lacking(0, &how);
    for (uint32_t i = 1; name != NULL && strcmp(name, entry->name) != 0; i++) {
        name = registry_lacking(i, &how);
    }
    return name != NULL;
}

static void run_one(void **state)
{
    const struct one *one = *state;
    if (is_lacking(one->entry)) {
        print_message("%s is not in this build\n", one->entry->name);
        skip();
    }
    one->run(one->entry);
}

/* An argument is a pattern: contract 'postgres: *'. */
int main(int argument_count, char **arguments)
{
    static struct one ones[ENTRIES * TESTS];
    static char names[ENTRIES * TESTS][64];
    static struct CMUnitTest list[ENTRIES * TESTS];
    struct error error = {0};
    const char *build = getenv("TRANSHUME_BUILD");
    char module[512];
    snprintf(module, sizeof module, "%s/toy.so", build ? build : "build");
    setenv("TRANSHUME_MODULES", module, 0);
    if (registry_load_modules(&error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", error.object, error.message);
        return 1;
    }
    size_t count = 0;
    for (size_t e = 0; e < ENTRIES; e++) {
        for (size_t t = 0; t < TESTS; t++) {
            ones[count] = (struct one){&entries[e], tests[t].run};
            snprintf(names[count], sizeof names[count], "%s: %s", entries[e].name, tests[t].name);
            list[count] = (struct CMUnitTest){names[count], run_one, NULL, NULL, &ones[count]};
            count++;
        }
    }
    if (argument_count > 1) {
        cmocka_set_test_filter(arguments[1]);
    }
    return cmocka_run_group_tests_name("contract", list, NULL, NULL);
}
