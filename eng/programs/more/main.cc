#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Base {
    virtual ~Base() { std::cout << "gone\n"; }
    virtual std::string name() const = 0;
};

struct Derived : Base {
    std::string name() const override { return "derived"; }
};

static int deep(int n)
{
    if (n == 0)
        throw std::runtime_error("from the bottom");
    return deep(n - 1) + 1;
}

int main()
{
    std::vector<int> v(1000);
    std::iota(v.begin(), v.end(), 0);
    std::sort(v.begin(), v.end(), [](int a, int b) { return a * 7919 % 1009 < b * 7919 % 1009; });
    std::map<std::string, int> words;
    for (auto w : {"the", "page", "the", "block", "the", "guest", "block"})
        words[w]++;
    for (auto &[w, n] : words)
        std::cout << w << ' ' << n << '\n';
    std::unique_ptr<Base> object = std::make_unique<Derived>();
    std::cout << v[10] << ' ' << object->name() << '\n';
    try {
        deep(20);
    } catch (const std::exception &e) {
        std::cout << "caught " << e.what() << '\n';
    }
    long total = 0;
    std::thread thread([&] { total = std::accumulate(v.begin(), v.end(), 0L); });
    thread.join();
    std::cout << total << '\n';
    return 0;
}
