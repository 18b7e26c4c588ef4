/* The rights that an account needs to folders of files, and to buckets. */
#include "connectors/common/rights_files.h"
#include "connectors/folder/bucket/bucket.h"

#include "model/json_writer.h"
#include <sys/stat.h>

/* ---------------------------------------------------------------- buckets */

/* One statement of the policy: what may be done with the bucket, or with objects (`behind` it). */
static void append_statement(const char *const *actions, const char *bucket,
                             const char *const *behind, struct buffer *out)
{
    buffer_append_string(out, buffer_last(out) == '[' ? "\n" : ",\n");
    buffer_append_string(out, "    {\"Effect\": \"Allow\", \"Action\": [");
    for (size_t at = 0; actions[at] != NULL; at++) {
        buffer_format(out, "%s\"s3:%s\"", at > 0 ? ", " : "", actions[at]);
    }
    buffer_append_string(out, "],\n     \"Resource\": [");
    for (size_t at = 0; behind[at] != NULL; at++) {
        struct buffer arn = {0};
        buffer_format(&arn, "arn:aws:s3:::%s%s", bucket, behind[at]);
        buffer_append_string(out, at > 0 ? ", " : "");
        json_append_printable(out, buffer_string(&arn));
        buffer_free(&arn);
    }
    buffer_append_string(out, "]}");
}

void folder_stage_add_policy(const struct folder_stage_address *address, bool writes,
                             struct rights_list *list)
{
    static const char *const listing[] = {"ListBucket", NULL};
    static const char *const reading[] = {"GetObject", NULL};
    static const char *const looking[] = {"ListBucket", "ListBucketMultipartUploads", NULL};
    static const char *const writing[] = {"GetObject", "PutObject", "DeleteObject",
                                          "AbortMultipartUpload", NULL};
    const char *prefix = address->prefix;
    const char *below = arena_format(list->arena, "/%s%s*", prefix, prefix[0] != '\0' ? "/" : "");
    const char *alone = arena_format(list->arena, "/%s", prefix);
    const char *const bucket[] = {"", NULL};
    /* A source may be the one object that is called so. */
    const char *const objects[] = {below, !writes && prefix[0] != '\0' ? alone : NULL, NULL};
    struct buffer text = {0};
    buffer_append_string(&text, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [");
    append_statement(writes ? looking : listing, address->bucket, bucket, &text);
    append_statement(writes ? writing : reading, address->bucket, objects, &text);
    buffer_append_string(&text, "\n  ]\n}");
    rights_add(list, RIGHTS_COPY, &text);
    buffer_free(&text);
}

/* ---------------------------------------------------------------- folders */

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct folder *folder = (const struct folder *)database;
    (void)error;
    if (folder->stage != NULL) {
        folder_stage_add_policy(folder_stage_address_of(folder->stage), false, list);
    } else if (folder->pipe == NULL) {
        rights_add_tree(list, RIGHTS_COPY, request->account, folder->path, false);
    }
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct folder *folder = (const struct folder *)database;
    struct stat facts;
    (void)error;
    if (folder->bucket != NULL) {
        folder_stage_add_policy(&folder->bucket->address, true, list);
    } else if (folder->pipe == NULL && stat(folder->path, &facts) == 0) {
        rights_add_tree(list, RIGHTS_COPY, request->account, folder->path, true);
    } else if (folder->pipe == NULL) {
        rights_add_new_folder(list, RIGHTS_COPY, request->account, folder->path);
    }
    return STATUS_OK;
}

const struct rights_functions folder_rights = {.of_source = rights_of_source,
                                               .of_target = rights_of_target};
