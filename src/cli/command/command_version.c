/* transhume version: of the program, the connector contract and the libraries; how it was built. */
#include "cli/cli.h"

#include "connectors/common/registry.h"
#include <cairo.h>
#include <curl/curl.h>
#include <fontconfig/fontconfig.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <lz4.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <pg_query.h>
#include <sqlite3.h>
#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>
#include <zstd.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef __OPTIMIZE__
#define OPTIMIZED "true"
#else
#define OPTIMIZED "false"
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER "thread"
#else
#define SANITIZER NULL
#endif

enum { LIBRARY_COUNT = 16, VERSION_BYTES = 64 };

struct library {
    const char *name;
    char version[VERSION_BYTES];
};

struct library_list {
    struct library libraries[LIBRARY_COUNT];
    size_t count;
};

static void command_version_add(struct library_list *list, const char *name, const char *version)
{
    struct library *library = &list->libraries[list->count++];
    library->name = name;
    snprintf(library->version, VERSION_BYTES, "%.*s", (int)strcspn(version, " "), version);
}

/* A version as a number with two decimal digits for each part but the first. */
static void add_number(struct library_list *list, const char *name, int version)
{
    char text[VERSION_BYTES];
    snprintf(text, sizeof text, "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
    command_version_add(list, name, text);
}

/* As loaded at run time, not as compiled against; but for what is linked statically. */
static void find_libraries(struct library_list *list)
{
    char pcre2[VERSION_BYTES] = "?";
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    command_version_add(list, "sqlite", sqlite3_libversion());
    command_version_add(list, "libyaml", yaml_get_version_string());
    command_version_add(list, "jansson", jansson_version_str());
    add_number(list, "xxhash", (int)XXH_versionNumber());
    command_version_add(list, "zstd", ZSTD_versionString());
    command_version_add(list, "lz4", LZ4_versionString());
    command_version_add(list, "zlib", zlibVersion());
    command_version_add(list, "utf8proc", utf8proc_version());
    command_version_add(list, "pcre2", pcre2);
    command_version_add(list, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    command_version_add(list, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
    command_version_add(list, "libmicrohttpd", MHD_get_version());
    command_version_add(list, "cairo", cairo_version_string());
    add_number(list, "fontconfig", FcGetVersion());
    command_version_add(list, "pg_query", PG_VERSION);
    command_version_add(list, "glibc", gnu_get_libc_version());
}

static void append_connectors(struct buffer *out)
{
    registry_load_all();
    buffer_append_string(out, ",\"connectors\":[");
    for (uint32_t i = 0; i < registry_count(); i++) {
        buffer_append_string(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        cli_append_json_text(out, registry_at(i)->name);
        buffer_format(out, ",\"module\":%s}", registry_is_module(i) ? "true" : "false");
    }
    buffer_append_byte(out, ']');
}

static void append_json(const struct library_list *list, struct buffer *out)
{
    buffer_format(out, "{\"format\":1,\"version\":\"%s\",\"contract\":%d,\"libraries\":{",
                  TRANSHUME_VERSION, CONNECTOR_CONTRACT_VERSION);
    for (size_t i = 0; i < list->count; i++) {
        buffer_format(out, "%s\"%s\":\"%s\"", i == 0 ? "" : ",", list->libraries[i].name,
                      list->libraries[i].version);
    }
    buffer_append_byte(out, '}');
    append_connectors(out);
    buffer_append_string(out, ",\"build\":{\"compiler\":");
    cli_append_json_text(out, COMPILER);
    buffer_format(out, ",\"c_standard\":%ld,\"optimized\":%s,\"sanitizer\":", __STDC_VERSION__,
                  OPTIMIZED);
    cli_append_json_text(out, SANITIZER);
    buffer_append_byte(out, '}');
    buffer_append_string(out, "}\n");
}

int command_version(struct cli_call *call)
{
    struct buffer out = {0};
    struct library_list list = {0};
    find_libraries(&list);
    if (cli_switch(call, CLI_JSON)) {
        append_json(&list, &out);
        return cli_finish(&out, EXIT_DONE);
    }
    buffer_format(&out, "transhume %s\nconnector contract %d\n", TRANSHUME_VERSION,
                  CONNECTOR_CONTRACT_VERSION);
    for (size_t i = 0; i < list.count; i++) {
        buffer_format(&out, "%-13s %s\n", list.libraries[i].name, list.libraries[i].version);
    }
    return cli_finish(&out, EXIT_DONE);
}
