/* DynamoDB over the network with anybody behind it: "=== ListTables", "=== DescribeTable",
 * "=== Scan", "=== GetItem", "=== Query" … each hold the JSON of one answer, in turn; one with a
 * "__type" is a refusal. */
#include "support.h"

#include "server.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 64 };

static struct text archive;
static unsigned answers;
static unsigned port;

/* The part for the nth request of this operation: the last one of that name stays. */
static struct text find(const char *operation, size_t length, unsigned *left)
{
    struct text rest = archive;
    struct text found = {0};
    struct fuzz_part part = {0};
    while (fuzz_next_part(&rest, &part)) {
        if (part.name.length == length && memcmp(part.name.data, operation, length) == 0) {
            found = part.bytes;
            if (*left == 0) {
                break;
            }
            --*left;
        }
    }
    return found;
}

/* Those that are not asked again: waiting is no part of reading. */
static bool is_refusal(const json_t *tree)
{
    static const char *const names[] = {"AccessDeniedException", "ResourceNotFoundException",
                                        "UnknownOperationException", "ValidationException"};
    const char *type = json_string_value(json_object_get(tree, "__type"));
    const char *mark = type != NULL ? strrchr(type, '#') : NULL;
    const char *name = mark != NULL ? mark + 1 : type;
    for (size_t at = 0; name != NULL && at < sizeof names / sizeof *names; at++) {
        if (strcmp(name, names[at]) == 0) {
            return true;
        }
    }
    return false;
}

static void append(struct buffer *out, int status, const char *body, size_t length)
{
    buffer_format(out,
                  "HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  status, status == 200 ? "OK" : "Bad Request", length);
    buffer_append(out, body, length);
}

static void reply(struct text header_block, struct buffer *out)
{
    static const char mark[] = "DynamoDB_20120810.";
    static const char refusal[] =
        "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"no\"}";
    static unsigned asked[256];
    json_error_t fault;
    if (answers == 0) {
        memset(asked, 0, sizeof asked);
    }
    const char *operation = memmem(header_block.data, header_block.length, mark, sizeof mark - 1);
    struct text body = {0};
    if (operation != NULL && ++answers < ANSWERS_MAX) {
        operation += sizeof mark - 1;
        size_t length = strcspn(operation, "\r");
        unsigned left = asked[(unsigned char)operation[0]]++;
        body = find(operation, length, &left);
    }
    /* What is no JSON at all would be asked for again and again: fuzz_http has that. */
    json_t *tree = json_loadb(body.data, body.length, 0, &fault);
    if (tree != NULL) {
        append(out, is_refusal(tree) ? 400 : 200, body.data, body.length);
    } else {
        append(out, 400, refusal, sizeof refusal - 1);
    }
    json_decref(tree);
}

static void read_as(enum open_mode mode, struct arena *arena)
{
    char uri[200];
    snprintf(uri, sizeof uri, "dynamodb://us-east-1?endpoint=http://127.0.0.1:%u", port);
    answers = 0;
    struct database *database = fuzz_open(uri, mode, arena);
    if (database != NULL) {
        if (mode == OPEN_SOURCE) {
            fuzz_read_source(database, false, arena);
        } else {
            fuzz_read_ledger(database, arena);
        }
        database->connector->close(database);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    fuzz_serve_from(&archive, data, size);
    if (port == 0) {
        setenv("AWS_ACCESS_KEY_ID", "AKIDTEST", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "of/no/account", 1);
        setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
        port = fuzz_serve(reply);
    }
    read_as(OPEN_SOURCE, arena);
    read_as(OPEN_TARGET, arena);
    arena_destroy(arena);
    return 0;
}
