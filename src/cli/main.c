/* The program's entry; everything else is in the library that tests link too. */
#include "cli/cli.h"

int main(int argument_count, char **arguments)
{
    return cli_main(argument_count, arguments);
}
