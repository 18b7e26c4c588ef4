/* The ledger of a folder: the archive is its files, whose checksums are made right here, so that
 * what comes after them is reached. A file that begins with '!' keeps its own. "=== versions" is
 * the list of what runs made of a file. */
#include "support.h"

#include "connectors/folder/folder_rewrite.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static const char run_name[] = "20260101T000000Z-abcdef";

static void write_in_run(const char *name, size_t name_length, const void *bytes, size_t length)
{
    char path[200];
    int path_length =
        snprintf(path, sizeof path, "_transhume/run-%s/%.*s", run_name, (int)name_length, name);
    fuzz_write(path, (size_t)path_length, bytes, length);
}

/* {"format":1,"kind":KIND,"run":ID,"bytes":N,"xxh3":HEX} and what it vouches for. */
static void write_sealed(const struct fuzz_part *part)
{
    struct buffer out = {0};
    char hex[33];
    XXH128_hash_t hash = XXH3_128bits(part->bytes.data, part->bytes.length);
    text_from_hash(hash.high64, hash.low64, hex);
    buffer_format(&out,
                  "{\"format\":1,\"kind\":\"%.*s\",\"run\":\"%s\",\"bytes\":%zu,\"xxh3\":\"%s\"}\n",
                  (int)part->name.length, part->name.data, run_name, part->bytes.length, hex);
    buffer_append(&out, part->bytes.data, part->bytes.length);
    write_in_run(part->name.data, part->name.length, out.data, out.length);
    buffer_free(&out);
}

static void write_done(const struct fuzz_part *part)
{
    struct text rest = part->bytes;
    struct buffer out = {0};
    uint64_t chain = 0;
    while (rest.length > 0) {
        struct text line = fuzz_line(&rest);
        chain = XXH3_64bits_withSeed(line.data, line.length, chain);
        buffer_append(&out, line.data, line.length);
        buffer_format(&out, "\t%016" PRIx64 "\n", chain);
    }
    write_in_run("done", 4, out.data, out.length);
    buffer_free(&out);
}

static bool is_named(const struct fuzz_part *part, const char *name)
{
    return part->name.length == strlen(name) &&
           memcmp(part->name.data, name, part->name.length) == 0;
}

/* One more is added to those that are there. */
static void read_versions(struct text list, struct arena *arena)
{
    static const char path[] = "_transhume/versions/t/f";
    struct folder folder = {.root = (char *)fuzz_folder()};
    struct folder_version added = {.print = {.bytes = 1, .checksum = 2}, .tag = "0123456789abcdef"};
    struct folder_version *versions = NULL;
    struct folder_version *again = NULL;
    struct error error = {0};
    uint32_t count = 0;
    uint32_t more = 0;
    fuzz_write(path, sizeof path - 1, list.data, list.length);
    FUZZ_REQUIRE(folder_versions(&folder, "t", "f", arena, &versions, &count, &error) == STATUS_OK);
    FUZZ_REQUIRE(folder_version_add(&folder, "t", "f", &added, arena, &error) == STATUS_OK);
    FUZZ_REQUIRE(folder_versions(&folder, "t", "f", arena, &again, &more, &error) == STATUS_OK);
    FUZZ_REQUIRE(more == count + 1);
    for (uint32_t at = 0; at < more; at++) {
        const struct folder_version *one = at < count ? &versions[at] : &added;
        FUZZ_REQUIRE(one->print.bytes == again[at].print.bytes);
        FUZZ_REQUIRE(one->print.checksum == again[at].print.checksum);
        FUZZ_REQUIRE(strcmp(one->tag, again[at].tag) == 0);
        FUZZ_REQUIRE(folder_version_is_known(again, more, &one->print, one->tag));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text archive = {(const char *)data, size};
    struct fuzz_part part = {0};
    struct arena *arena = arena_create(0);
    fuzz_empty_folder();
    while (fuzz_next_part(&archive, &part)) {
        bool raw = part.name.length > 0 && part.name.data[0] == '!';
        if (raw) {
            write_in_run(part.name.data + 1, part.name.length - 1, part.bytes.data,
                         part.bytes.length);
        } else if (is_named(&part, "versions")) {
            read_versions(part.bytes, arena);
        } else if (is_named(&part, "number")) {
            write_in_run("number", 6, part.bytes.data, part.bytes.length);
        } else if (is_named(&part, "done")) {
            write_done(&part);
        } else if (text_is_utf8(part.name.data, part.name.length)) {
            write_sealed(&part);
        }
    }
    char *uri = arena_format(arena, "csv:%s", fuzz_folder());
    struct database *target = fuzz_open(uri, OPEN_TARGET, arena);
    if (target != NULL) {
        fuzz_read_ledger(target, arena);
        target->connector->close(target);
    }
    arena_destroy(arena);
    return 0;
}
