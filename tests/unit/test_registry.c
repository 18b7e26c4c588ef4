/* URIs: taken apart whole, matched with their connector, wrong ones answered with the nearest right
 * one. */
#include "base/secret.h"
#include "connectors/common/registry.h"
#include "connectors/common/uri.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolved {
    struct arena *arena;
    struct uri *uri;
    const struct connector *connector;
    struct error error;
};

static enum status resolve(struct resolved *resolved, const char *text)
{
    *resolved = (struct resolved){.arena = arena_create(0)};
    return registry_resolve(text, resolved->arena, &resolved->uri, &resolved->connector,
                            &resolved->error);
}

static void expect_path(const char *text, const char *connector, const char *path)
{
    struct resolved resolved;
    if (resolve(&resolved, text) != STATUS_OK) {
        fail_msg("%s: %s", text, resolved.error.message);
    }
    assert_string_equal(resolved.connector->name, connector);
    assert_string_equal(resolved.uri->scheme, connector);
    assert_string_equal(resolved.uri->path, path);
    assert_string_equal(resolved.uri->text, text);
    arena_destroy(resolved.arena);
}

static void expect_error(const char *text, enum error_code code, const char *hint)
{
    struct resolved resolved;
    assert_int_equal(resolve(&resolved, text), STATUS_FAILED);
    assert_null(resolved.uri);
    if (resolved.error.code != code) {
        fail_msg("%s gives %s: %s", text, error_describe(resolved.error.code)->name,
                 resolved.error.message);
    }
    if (strstr(resolved.error.hint, hint) == NULL) {
        fail_msg("%s has the hint %s", text, resolved.error.hint);
    }
    assert_int_equal(error_exit_status(&resolved.error), 2);
    arena_destroy(resolved.arena);
}

static void test_paths(void **state)
{
    (void)state;
    expect_path("sqlite:shop.db", "sqlite", "shop.db");
    expect_path("SQLite:shop", "sqlite", "shop");
    expect_path("sqlite:/a/b c.db", "sqlite", "/a/b c.db");
    expect_path("sqlite:///a/b.db", "sqlite", "/a/b.db");
    expect_path("sqlite://b.db", "sqlite", "b.db");
    expect_path("sqlite:a%20b%3fc%25%2B+.db", "sqlite", "a b?c%++.db");
    expect_path("sqlite:%C3%A9.db", "sqlite", "\xc3\xa9.db");
    expect_path("sqlite:a#b.db", "sqlite", "a#b.db");
    expect_path("dynamodb-json:out", "dynamodb-json", "out");
    expect_path("shop.db", "sqlite", "shop.db");
    expect_path("./a%20b:c.SQLITE3", "sqlite",
                "./a%20b:c.SQLITE3"); /* a bare path is taken as it is */
    expect_path("x.sqlite?slice=2MiB", "sqlite", "x.sqlite");
}

static void test_refused(void **state)
{
    (void)state;
    expect_error("sqlit:shop.db", ERROR_UNKNOWN_SCHEME, "sqlite");
    expect_error("dynamo-json:out", ERROR_UNKNOWN_SCHEME, "dynamodb-json");
    expect_error("zzzzzzzz:out", ERROR_UNKNOWN_SCHEME, "transhume connectors");
    expect_error("shop", ERROR_UNKNOWN_SCHEME, "sqlite:FILE");
    expect_error("", ERROR_USAGE, "");
    expect_error("sqlite:a%2", ERROR_USAGE, "%25");
    expect_error("sqlite:a%zz", ERROR_USAGE, "%25");
    expect_error("sqlite:a%00b", ERROR_USAGE, "%25");
    expect_error("sqlite:a.db?imutable=1", ERROR_UNKNOWN_OPTION, "immutable");
    expect_error("sqlite:a.db?something=1", ERROR_UNKNOWN_OPTION, "transhume connectors sqlite");
    expect_error("sqlite:a.db?immutable=perhaps", ERROR_BAD_VALUE, "");
    expect_error("sqlite:a.db?slice=10", ERROR_BAD_VALUE, "64KiB..512MiB");
    expect_error("sqlite:a.db?slice=1GiB", ERROR_BAD_VALUE, "64KiB..512MiB");
    expect_error("sqlite:a.db?slice=1MiB&slice=2MiB", ERROR_USAGE, "");
    char *longest = malloc(9000);
    memset(longest, 'a', 8999);
    longest[8999] = '\0';
    expect_error(longest, ERROR_USAGE, "");
    free(longest);
}

static void test_options(void **state)
{
    (void)state;
    struct resolved resolved;
    assert_int_equal(resolve(&resolved, "sqlite:a.db?slice=128KiB&immutable=YES"), STATUS_OK);
    assert_string_equal(uri_parameter(resolved.uri, resolved.connector, "slice"), "128KiB");
    assert_string_equal(uri_parameter(resolved.uri, resolved.connector, "immutable"), "true");
    assert_null(uri_parameter(resolved.uri, resolved.connector, "none"));
    arena_destroy(resolved.arena);
    assert_int_equal(resolve(&resolved, "sqlite:a.db"), STATUS_OK);
    assert_string_equal(uri_parameter(resolved.uri, resolved.connector, "slice"), "1MiB");
    assert_string_equal(uri_parameter(resolved.uri, resolved.connector, "immutable"), "false");
    arena_destroy(resolved.arena);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Files whose names say nothing, or too much. */
static void test_contents(void **state)
{
    (void)state;
    char path[300];
    const char *folder = test_folder();
    snprintf(path, sizeof path, "%s/data", folder);
    write_file(path, "SQLite format 3\0 and so on", 26);
    expect_path(path, "sqlite", path);
    write_file(path, "something else altogether", 25);
    expect_error(path, ERROR_UNKNOWN_SCHEME, "sqlite:FILE");
    snprintf(path, sizeof path, "%s/what?slice=1.db", folder);
    write_file(path, "", 0);
    expect_path(path, "sqlite", path); /* there is a file of this very name */
    expect_error(folder, ERROR_UNKNOWN_SCHEME, "sqlite:FILE");
}

/* ---------------------------------------------------------------- servers and secrets */

/* No built-in connector has hosts so far: one is made up here. */
static const struct connector_option fake_options[] = {
    {.name = "key", .type = OPTION_TEXT, .secret = true},
    {.name = "level", .type = OPTION_INTEGER, .range = "1..10", .default_text = "3"},
    {.name = "mode", .type = OPTION_CHOICE, .range = "fast|safe", .default_text = "safe"},
};

static const struct connector fake = {
    .name = "fake",
    .title = "Fake",
    .uri_help = "fake://HOST/NAME",
    .options = fake_options,
    .option_count = 3,
};

static struct uri *read_fake(struct resolved *resolved, const char *text, enum status expected)
{
    *resolved = (struct resolved){.arena = arena_create(0)};
    resolved->uri = uri_begin(text, resolved->arena);
    enum status status =
        uri_read(resolved->uri, &fake, strchr(text, ':') + 1, resolved->arena, &resolved->error);
    if (status != expected) {
        fail_msg("%s gives %d: %s", text, status, resolved->error.message);
    }
    return resolved->uri;
}

static void test_servers(void **state)
{
    (void)state;
    struct resolved resolved;
    struct uri *uri = read_fake(
        &resolved, "fake://us%40er:p%3Aa%40%26s%2Fs@ho%2Dst:1234/a/b%20c?level=7&mode=fast",
        STATUS_OK);
    assert_string_equal(uri->user, "us@er");
    assert_string_equal(uri->password, "p:a@&s/s");
    assert_string_equal(uri->host, "ho-st");
    assert_int_equal(uri->port, 1234);
    assert_string_equal(uri->path, "a/b c");
    assert_string_equal(uri_parameter(uri, &fake, "level"), "7");
    assert_string_equal(uri_parameter(uri, &fake, "mode"), "fast");
    assert_null(uri_parameter(uri, &fake, "key"));
    arena_destroy(resolved.arena);

    uri = read_fake(&resolved, "fake://[::1]:5432/db", STATUS_OK);
    assert_string_equal(uri->host, "::1");
    assert_int_equal(uri->port, 5432);
    assert_string_equal(uri->path, "db");
    assert_null(uri->user);
    arena_destroy(resolved.arena);

    uri = read_fake(&resolved, "fake://[fe80::1]", STATUS_OK);
    assert_string_equal(uri->host, "fe80::1");
    assert_int_equal(uri->port, 0);
    assert_string_equal(uri->path, "");
    arena_destroy(resolved.arena);

    uri = read_fake(&resolved, "fake:///db", STATUS_OK);
    assert_null(uri->host);
    assert_string_equal(uri->path, "db");
    arena_destroy(resolved.arena);

    static const char *const wrong[] = {
        "fake://h:0/",       "fake://h:65536/",    "fake://h:x/",
        "fake://h:/",        "fake://h/?level=0",  "fake://h/?level=11",
        "fake://h/?level=x", "fake://h/?mode=fas", "fake://h/?mode=fast|safe",
        "fake://h/?mode="};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        read_fake(&resolved, wrong[i], STATUS_FAILED);
        arena_destroy(resolved.arena);
    }
}

/* No part of a URI that can be shown has the secret in it, in whichever way it was written. */
static void test_secrets(void **state)
{
    (void)state;
    struct resolved resolved;
    struct uri *uri = read_fake(&resolved, "fake://me:s3cr%65t@h/db?key=k%65yk3y", STATUS_OK);
    assert_string_equal(uri->password, "s3cret");
    assert_null(strstr(uri->shown, "s3cr"));
    assert_null(strstr(uri->shown, "yk3y"));
    assert_non_null(strstr(uri->shown, "me"));
    char line[] = "it said s3cret and keyk3y and s3cr%65t";
    secret_redact(line);
    assert_null(strstr(line, "s3cr"));
    assert_null(strstr(line, "k3y"));
    arena_destroy(resolved.arena);
    read_fake(&resolved, "fake://me:hidden1@h:99999/db", STATUS_FAILED);
    assert_null(strstr(resolved.error.object, "hidden1"));
    assert_null(strstr(resolved.error.message, "hidden1"));
    arena_destroy(resolved.arena);
}

static void test_modules(void **state)
{
    (void)state;
    struct error error;
    uint32_t before = registry_count();
    setenv("TRANSHUME_MODULES", "/nowhere/module.so", 1);
    assert_int_equal(registry_load_modules(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_MODULE);
    setenv("TRANSHUME_MODULES", "libm.so.6", 1);
    assert_int_equal(registry_load_modules(&error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "transhume_connector"));
    assert_int_equal(registry_count(), before);
    unsetenv("TRANSHUME_MODULES");
    assert_int_equal(registry_load_modules(&error), STATUS_OK);
    for (uint32_t i = 0; i < registry_count(); i++) {
        assert_ptr_equal(registry_find(registry_at(i)->name), registry_at(i));
        assert_int_equal(registry_at(i)->contract_version, CONNECTOR_CONTRACT_VERSION);
    }
    assert_null(registry_at(registry_count()));
    assert_null(registry_find("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_options), cmocka_unit_test(test_contents),
        cmocka_unit_test(test_modules), cmocka_unit_test(test_servers),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
