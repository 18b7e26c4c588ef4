/* The inside of a plan document: what resolving reads. */
#ifndef TRANSHUME_PLAN_TEXT_DOCUMENT_PARTS_H
#define TRANSHUME_PLAN_TEXT_DOCUMENT_PARTS_H

#include "base/arena.h"
#include "plan/text/document.h"

struct plan_document {
    struct arena *arena;
    const char *name; /* in messages */
    const char *path; /* NULL when it was parsed from memory */
    const char *text;
    size_t length;
    const struct plan_node *root; /* a map whose form is checked */
    bool only_unknown_keys;       /* all that is wrong with it, if anything is */
};

#endif
