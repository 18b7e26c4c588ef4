#include "connectors/sql/later.h"

bool sql_later_is_listed(const struct target_table *table, uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < before; i++) {
        if (column_list_holds(table->later[i].emptied, name)) {
            return true;
        }
    }
    return false;
}
