/* Facts of definitions. */
#include "connectors/contract/definitions.h"
#include <string.h>

const char *definition_fact(const struct definition *definition, const char *name)
{
    for (uint32_t i = 0; definition != NULL && i < definition->fact_count; i++) {
        if (strcmp(definition->facts[i].name, name) == 0) {
            return definition->facts[i].value;
        }
    }
    return NULL;
}

/* Are all facts of the left one in the right one, too? */
static bool is_within(const struct definition *left, const struct definition *right)
{
    for (uint32_t i = 0; i < left->fact_count; i++) {
        const struct definition_fact *fact = &left->facts[i];
        const char *other = definition_fact(right, fact->name);
        if (fact->name[0] != '_' && (other == NULL || strcmp(other, fact->value) != 0)) {
            return false;
        }
    }
    return true;
}

bool definition_is_equal(const struct definition *left, const struct definition *right)
{
    return is_within(left, right) && is_within(right, left);
}
