<?php
// A tokenizer, a parser to nested arrays and an evaluator; then strings and sorting.
function tokens(string $text): array
{
    preg_match_all('~\d+|[-+*/()]~', $text, $found);
    return $found[0];
}

function parse(array $tokens, int &$at, int $least = 0)
{
    $token = $tokens[$at++];
    if ($token === '(') {
        $left = parse($tokens, $at);
        $at++;
    } else {
        $left = (int)$token;
    }
    $rank = ['+' => 1, '-' => 1, '*' => 2, '/' => 2];
    while ($at < count($tokens) && isset($rank[$tokens[$at]]) && $rank[$tokens[$at]] > $least) {
        $operator = $tokens[$at++];
        $left = [$operator, $left, parse($tokens, $at, $rank[$operator])];
    }
    return $left;
}

function value($tree): int
{
    if (!is_array($tree)) return $tree;
    [$operator, $a, $b] = [$tree[0], value($tree[1]), value($tree[2])];
    return match ($operator) { '+' => $a + $b, '-' => $a - $b, '*' => $a * $b % 1000003, '/' => $b ? intdiv($a, $b) : 0 };
}

$seed = 3;
$sums = [];
for ($i = 0; $i < 3000; $i++) {
    $text = '1';
    for ($j = 0; $j < 12; $j++) {
        $seed = ($seed * 1103515245 + 12345) % 2147483648;
        $text .= '+-*/'[$seed >> 16 & 3] . ($seed % 5 ? ($seed >> 8) % 100 : '(' . ($seed >> 9) % 10 . '+' . $j . ')');
    }
    $at = 0;
    $sums[$i % 100] = ($sums[$i % 100] ?? 0) + value(parse(tokens($text), $at));
}
arsort($sums);
echo json_encode(array_slice($sums, 0, 5, true)), ' ', md5(implode(',', $sums)), "\n";
echo strlen(str_repeat(ucwords('some words here '), 1000)), ' ', count(array_unique(str_split(md5('x') . sha1('y'), 2))), "\n";
