/* The rights that an account needs to a database's file and to the folder that it lies in. */
#include "connectors/common/rights_files.h"
#include "connectors/duckdb/duckdb_internal.h"

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    (void)error;
    rights_add_file(list, RIGHTS_COPY, request->account, duckdb_database_of(database)->path,
                    FILE_READ);
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct duckdb_database *self = duckdb_database_of(database);
    (void)error;
    if (!self->made_file) { /* else it goes again with this command */
        rights_add_file(list, RIGHTS_COPY, request->account, self->path, FILE_READ | FILE_WRITE);
    }
    rights_add_folder_of(list, RIGHTS_COPY, request->account, self->path);
    return STATUS_OK;
}

const struct rights_functions duckdb_rights = {.of_source = rights_of_source,
                                               .of_target = rights_of_target};
