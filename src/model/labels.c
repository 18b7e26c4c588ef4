/* Lists of labels. */
#include "model/labels.h"

#include <string.h>
#include <strings.h>

const char *labels_of_type(const char *native)
{
    bool lists = native != NULL &&
                 (strncasecmp(native, "enum(", 5) == 0 || strncasecmp(native, "set(", 4) == 0);
    return lists ? strchr(native, '(') + 1 : NULL;
}

const char *labels_of_stamp(const char *stamp)
{
    const char *blank = stamp != NULL ? strchr(stamp, ' ') : NULL;
    return blank != NULL ? blank + 1 : NULL;
}

bool labels_next(const char **at, struct label *label)
{
    const char *begin = *at + (**at == ',');
    const char *quote = begin + strcspn(begin, "')");
    if (*quote != '\'') {
        return false;
    }
    const char *end = quote + 1;
    while (*end != '\0' && (*end != '\'' || end[1] == '\'')) {
        end += *end == '\'' ? 2 : 1;
    }
    *at = end + (*end != '\0');
    *label = (struct label){begin, (size_t)(*at - begin), (size_t)(quote - begin)};
    return true;
}

static bool is_among(const char *all, const struct label *wanted, bool numbered)
{
    struct label label;
    bool found = false;
    size_t skipped = numbered ? 0 : wanted->number_length;
    while (!found && labels_next(&all, &label)) {
        size_t own = numbered ? 0 : label.number_length;
        found = label.length - own == wanted->length - skipped &&
                memcmp(label.text + own, wanted->text + skipped, label.length - own) == 0;
    }
    return found;
}

bool labels_hold(const char *all, const char *some, bool numbered)
{
    struct label label;
    bool holds = true;
    while (holds && labels_next(&some, &label)) {
        holds = is_among(all, &label, numbered);
    }
    return holds;
}
