/*
 * The ledger of a folder, from an archive:
 *
 *   === record    the body of a record in ledger.log, whose checksums are made right here, so that
 *                 what comes after them is reached
 *   === raw       bytes of ledger.log as they are
 *   === KEY       a record that puts the text under that key
 *   === mark      what the done mark of a chunk keeps of its segments
 *   === versions  the list of what runs made of a file
 */
#include "support.h"

#include "connectors/folder/folder_rewrite.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static const char head[] = "{\"format\":2,\"kind\":\"ledger\"}\n";

struct made_log {
    struct buffer text;
    uint64_t chain;
};

static void add_record(struct made_log *log, const char *body, size_t length)
{
    size_t begin = log->text.length;
    uint64_t sum = XXH3_64bits_withSeed(body, length, log->chain);
    buffer_format(&log->text, "%016" PRIx64 " %zu", sum, length);
    uint64_t line =
        XXH3_64bits_withSeed(log->text.data + begin, log->text.length - begin, log->chain);
    buffer_format(&log->text, " %016" PRIx64 "\n", line);
    buffer_append(&log->text, body, length);
    log->chain = sum;
}

static void add_put(struct made_log *log, const struct fuzz_part *part)
{
    struct buffer body = {0};
    size_t length = part->bytes.length;
    length -= length > 0 && part->bytes.data[length - 1] == '\n';
    buffer_format(&body, "1 %zu ", length);
    buffer_append(&body, part->name.data, part->name.length);
    buffer_append_byte(&body, '\n');
    buffer_append(&body, part->bytes.data, length);
    buffer_append_byte(&body, '\n');
    add_record(log, body.data, body.length);
    buffer_free(&body);
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

/* What was read is written and read as the same. */
static void read_mark(struct database *target, struct text text, struct arena *arena)
{
    struct folder *folder = (struct folder *)target;
    struct buffer first = {0};
    struct buffer second = {0};
    struct error error = {0};
    const struct folder_done *done = &folder->run.done;
    if (folder_done_take(folder, 1, arena_copy(arena, text.data, text.length), text.length,
                         &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    folder_done_append(done->segments, (uint32_t)done->count, &first);
    folder_done_drop(folder, NULL);
    FUZZ_REQUIRE(folder_done_take(folder, 1, first.data, first.length, &error) == STATUS_OK);
    folder_done_append(done->segments, (uint32_t)done->count, &second);
    FUZZ_REQUIRE(first.length == second.length &&
                 memcmp(first.data, second.data, first.length) == 0);
    folder_done_drop(folder, NULL);
    buffer_free(&first);
    buffer_free(&second);
}

static enum status add_key(void *context, const char *key, const struct store_value *value,
                           struct error *error)
{
    (void)error;
    buffer_format(context, "%" PRIu64 " %zu %s\n", value->version, value->length, key);
    buffer_append(context, value->text, value->length);
    return STATUS_OK;
}

/* A ledger that can be read can be written to, and a write changes nothing else. */
static void write_to_store(struct database *target)
{
    const struct store_functions *functions = target->connector->store;
    struct store *store = NULL;
    struct buffer before = {0};
    struct buffer after = {0};
    struct error error = {0};
    uint64_t version = 0;
    if (functions->open(target, &store, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    FUZZ_REQUIRE(functions->create(store, &error) == STATUS_OK);
    FUZZ_REQUIRE(functions->delete_if(store, "~", STORE_ANY_VERSION, &error) == STATUS_OK);
    FUZZ_REQUIRE(functions->scan(store, "r", add_key, &before, &error) == STATUS_OK);
    FUZZ_REQUIRE(functions->put_if(store, "~", "x", 1, STORE_ABSENT, &version, &error) ==
                 STATUS_OK);
    functions->close(store);
    FUZZ_REQUIRE(functions->open(target, &store, &error) == STATUS_OK);
    FUZZ_REQUIRE(functions->scan(store, "r", add_key, &after, &error) == STATUS_OK);
    FUZZ_REQUIRE(before.length == after.length &&
                 (before.length == 0 || memcmp(before.data, after.data, before.length) == 0));
    FUZZ_REQUIRE(functions->put_if(store, "~", "y", 1, 1, &version, &error) == STATUS_OK);
    functions->close(store);
    buffer_free(&before);
    buffer_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char path[] = "_transhume/ledger.log";
    struct text archive = {(const char *)data, size};
    struct text mark = {0};
    struct fuzz_part part = {0};
    struct made_log log = {.chain = XXH3_64bits(head, sizeof head - 1)};
    struct arena *arena = arena_create(0);
    fuzz_empty_folder();
    while (fuzz_next_part(&archive, &part)) {
        if (is_named(&part, "versions")) {
            read_versions(part.bytes, arena);
        } else if (is_named(&part, "mark")) {
            mark = part.bytes;
        } else if (is_named(&part, "raw")) {
            buffer_append(&log.text, part.bytes.data, part.bytes.length);
        } else {
            if (log.text.length == 0) {
                buffer_append(&log.text, head, sizeof head - 1);
            }
            if (is_named(&part, "record")) {
                add_record(&log, part.bytes.data, part.bytes.length);
            } else {
                add_put(&log, &part);
            }
        }
    }
    if (log.text.length > 0) {
        fuzz_write(path, sizeof path - 1, log.text.data, log.text.length);
    }
    char *uri = arena_format(arena, "csv:%s", fuzz_folder());
    struct database *target = fuzz_open(uri, OPEN_TARGET, arena);
    if (target != NULL) {
        fuzz_read_ledger(target, arena);
        read_mark(target, mark, arena);
        write_to_store(target);
        target->connector->close(target);
    }
    buffer_free(&log.text);
    arena_destroy(arena);
    return 0;
}
