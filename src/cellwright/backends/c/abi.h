/* How the functions of a library are to be called. Whoever loads one asks; the text is the
 * one in key.py.
 */
__attribute__((visibility("default"))) const char *cellwright_abi(void)
{
    return "cellwright-c-1";
}
