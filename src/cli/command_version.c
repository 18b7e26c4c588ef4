/* transhume version: of the program, the connector contract and the libraries. */
#include "cli/cli.h"

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
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

enum { LIBRARY_COUNT = 10, VERSION_BYTES = 64 };

struct library {
    const char *name;
    char version[VERSION_BYTES];
};

/* As loaded at run time, not as compiled against. */
static void find_libraries(struct library *libraries)
{
    unsigned xxhash = XXH_versionNumber();
    char pcre2[VERSION_BYTES] = "?";
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    pcre2[strcspn(pcre2, " ")] = '\0';
    libraries[0].name = "sqlite";
    snprintf(libraries[0].version, VERSION_BYTES, "%s", sqlite3_libversion());
    libraries[1].name = "libyaml";
    snprintf(libraries[1].version, VERSION_BYTES, "%s", yaml_get_version_string());
    libraries[2].name = "jansson";
    snprintf(libraries[2].version, VERSION_BYTES, "%s", jansson_version_str());
    libraries[3].name = "xxhash";
    snprintf(libraries[3].version, VERSION_BYTES, "%u.%u.%u", xxhash / 10000, xxhash / 100 % 100,
             xxhash % 100);
    libraries[4].name = "zstd";
    snprintf(libraries[4].version, VERSION_BYTES, "%s", ZSTD_versionString());
    libraries[5].name = "zlib";
    snprintf(libraries[5].version, VERSION_BYTES, "%s", zlibVersion());
    libraries[6].name = "utf8proc";
    snprintf(libraries[6].version, VERSION_BYTES, "%s", utf8proc_version());
    libraries[7].name = "pcre2";
    snprintf(libraries[7].version, VERSION_BYTES, "%s", pcre2);
    libraries[8].name = "openssl";
    snprintf(libraries[8].version, VERSION_BYTES, "%s", OpenSSL_version(OPENSSL_VERSION_STRING));
    libraries[9].name = "libcurl";
    snprintf(libraries[9].version, VERSION_BYTES, "%s",
             curl_version_info(CURLVERSION_NOW)->version);
}

int command_version(struct cli_call *call)
{
    struct buffer out = {0};
    struct library libraries[LIBRARY_COUNT];
    find_libraries(libraries);
    if (cli_switch(call, CLI_JSON)) {
        buffer_format(&out, "{\"format\":1,\"version\":\"%s\",\"contract\":%d,\"libraries\":{",
                      TRANSHUME_VERSION, CONNECTOR_CONTRACT_VERSION);
        for (int i = 0; i < LIBRARY_COUNT; i++) {
            buffer_format(&out, "%s\"%s\":\"%s\"", i == 0 ? "" : ",", libraries[i].name,
                          libraries[i].version);
        }
        buffer_append_string(&out, "}}\n");
    } else {
        buffer_format(&out, "transhume %s\nconnector contract %d\n", TRANSHUME_VERSION,
                      CONNECTOR_CONTRACT_VERSION);
        for (int i = 0; i < LIBRARY_COUNT; i++) {
            buffer_format(&out, "%-9s %s\n", libraries[i].name, libraries[i].version);
        }
    }
    return cli_finish(&out, 0);
}
