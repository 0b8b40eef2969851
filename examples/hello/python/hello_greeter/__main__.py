from hello_greeter import main

main()
