// Preprocessed this is a translation unit of many headers: most of it is parsed, some of it instantiated.
#include <algorithm>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

struct Item
{
    std::string name;
    std::vector<int> values;
    bool operator<(const Item &other) const { return std::tie(name, values) < std::tie(other.name, other.values); }
};

std::map<std::string, Item> index_of(const std::vector<Item> &items)
{
    std::map<std::string, Item> result;
    for (const auto &item : items) result.emplace(item.name, item);
    return result;
}

std::vector<Item> sorted(std::vector<Item> items)
{
    std::sort(items.begin(), items.end());
    std::stable_sort(items.begin(), items.end(), [](const Item &a, const Item &b) { return a.values.size() < b.values.size(); });
    items.erase(std::unique(items.begin(), items.end(), [](const Item &a, const Item &b) { return a.name == b.name; }), items.end());
    return items;
}

std::variant<int, double, std::string> read(std::istream &in)
{
    std::string word;
    in >> word;
    static const std::regex number("[-+]?[0-9]+"), real("[-+]?[0-9]*\\.[0-9]+");
    if (std::regex_match(word, number)) return std::stoi(word);
    if (std::regex_match(word, real)) return std::stod(word);
    return word;
}

std::unordered_map<std::string, std::size_t> count(std::string_view text)
{
    std::unordered_map<std::string, std::size_t> words;
    std::istringstream in{std::string(text)};
    for (std::string word; in >> word;) ++words[word];
    return words;
}

double mean(const std::deque<double> &values) { return std::accumulate(values.begin(), values.end(), 0.0) / values.size(); }

int main()
{
    std::priority_queue<std::pair<int, std::string>> queue;
    for (const auto &[word, times] : count("a b a c b a")) queue.emplace(times, word);
    std::cout << queue.top().second << std::setw(8) << mean({1, 2, 3}) << std::endl;
    return sorted({}).size() + index_of({}).size() + read(std::cin).index();
}
