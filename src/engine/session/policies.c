/* The policies of tables, from the ledger. */
#include "engine/session/policies.h"
#include <string.h>

static const struct ledger_table *find_table(const struct ledger_header *header, const char *name)
{
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (strcmp(header->tables[i].name, name) == 0) {
            return &header->tables[i];
        }
    }
    return NULL;
}

void policies_take(struct run *run, const struct ledger_header *header,
                   const struct ledger_table **other)
{
    struct run_session *session = run->session;
    const struct ledger_table *first = NULL;
    bool said = session->options.making.existing >= 0 && !session->existing_is_of_run;
    for (uint32_t i = 0; i < run->table_count; i++) {
        struct target_table *table = &run->tables[i];
        const struct ledger_table *began = find_table(header, table->name);
        if (began == NULL || began->existing == table->existing) {
            continue;
        }
        if (!said && (table->existing == EXISTING_REFUSE || session->existing_is_of_run)) {
            table->existing = began->existing;
            session->plan->tables[i].target.existing = began->existing;
        } else {
            first = first != NULL ? first : began;
        }
    }
    if (other != NULL) {
        *other = first;
    }
}

void policies_own(struct run *run, const struct ledger_table *began)
{
    for (uint32_t i = 0; i < run->table_count; i++) {
        struct target_table *table = &run->tables[i];
        if (strcmp(table->name, began->name) == 0 && table->existing == began->existing &&
            began->existing == EXISTING_APPEND && began->was != LEDGER_WAS_FILLED) {
            table->existing = EXISTING_REFUSE;
            run->session->plan->tables[i].target.existing = EXISTING_REFUSE;
        }
    }
}
