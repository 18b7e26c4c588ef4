/* The rights that an account needs to a database's file and to the folder that it lies in. */
#include "connectors/common/rights_files.h"
#include "connectors/sqlite/source.h"

#include "base/file.h"

/* In WAL mode whoever reads makes the files beside it, or writes in those that are there; not those
 * that this command has made. */
static void add_wal(const struct sqlite_database *self, const struct rights_request *request,
                    struct rights_list *list)
{
    static const char *const ends[] = {"-wal", "-shm"};
    for (size_t at = 0; self->source->wal_found && at < sizeof ends / sizeof *ends; at++) {
        const char *path = arena_format(list->arena, "%s%s", self->path, ends[at]);
        if (file_exists(path)) {
            rights_add_file(list, RIGHTS_COPY, request->account, path, FILE_READ | FILE_WRITE);
        }
    }
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct sqlite_database *self = sqlite_database_of(database);
    bool wal = self->source != NULL && self->source->wal && !self->source->immutable;
    (void)error;
    rights_add_file(list, RIGHTS_COPY, request->account, self->path, FILE_READ);
    if (wal) {
        rights_add_folder_of(list, RIGHTS_COPY, request->account, self->path);
        add_wal(self, request, list);
    }
    if (request->follows) { /* the feed's tables and triggers are in it */
        rights_add_file(list, RIGHTS_FOLLOW, request->account, self->path, FILE_READ | FILE_WRITE);
        rights_add_folder_of(list, RIGHTS_FOLLOW, request->account, self->path);
    }
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct sqlite_database *self = sqlite_database_of(database);
    (void)error;
    if (!self->created_file) { /* else it goes again with this command */
        rights_add_file(list, RIGHTS_COPY, request->account, self->path, FILE_READ | FILE_WRITE);
    }
    rights_add_folder_of(list, RIGHTS_COPY, request->account, self->path);
    return STATUS_OK;
}

const struct rights_functions sqlite_rights = {.of_source = rights_of_source,
                                               .of_target = rights_of_target};
