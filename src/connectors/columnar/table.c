/* Tables of a target. */
#include "connectors/columnar/columnar.h"

#include "base/file.h"
#include "base/text.h"
#include "connectors/folder/folder_sidecar.h"
#include <string.h>

enum { COLUMNS_MAX = 10000 };

void columnar_check_table(const char *format, const struct target_table *table,
                          const struct shape *const *shapes, uint32_t shape_count,
                          struct buffer *out)
{
    bool documents = false;
    for (uint32_t at = 0; at < shape_count; at++) {
        documents = documents || shapes[at]->field_count == 0;
    }
    if (documents || table->column_count == 0) {
        buffer_format(out,
                      "%s's files have columns of one type: name the fields of the table in the "
                      "plan (`transhume init` writes them)\n",
                      format);
    }
    if (table->column_count > COLUMNS_MAX) {
        buffer_format(out, "it has %u columns; at most %d are written\n", table->column_count,
                      COLUMNS_MAX);
    }
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        char shown[128];
        if (!text_is_utf8(name, strlen(name))) {
            text_printable(name, strlen(name), shown, sizeof(shown));
            buffer_format(out, "column %s: a name in %s is UTF-8\n", shown, format);
        }
    }
}

/* A definition that an attempt before this one wrote stays. */
enum status columnar_write_definition(struct folder *folder, const struct target_table *table,
                                      const char *path, bool finish, struct arena *scratch,
                                      struct error *error)
{
    (void)folder;
    (void)scratch;
    if (finish || (file_exists(path) && !table->created)) {
        return STATUS_OK;
    }
    return folder_sidecar_write(path, table, false, false, NULL, 0, error);
}
