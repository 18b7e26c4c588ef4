#include "evolve/lint/lint_internal.h"
void lint_cql(struct lint_file *file)
{
    (void)file;
}
void lint_dynamodb(struct lint_file *file)
{
    (void)file;
}
void lint_http(struct lint_file *file)
{
    (void)file;
}
void lint_mongo(struct lint_file *file)
{
    (void)file;
}
